"""What databases as destinations share."""
