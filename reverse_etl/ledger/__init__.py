"""What became of each row: recorded at once, on this machine and for others, and reconciled with the rows."""
