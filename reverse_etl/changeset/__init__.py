"""What one run read: the changeset, kept as numbered rows in Parquet until it is delivered."""
