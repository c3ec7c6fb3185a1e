"""What became of each row: written down as it is known, on this machine and for others, and held against the rows."""
