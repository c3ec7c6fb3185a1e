"""What databases as destinations share: which values fit a table, decided in Arrow before anything is sent."""
