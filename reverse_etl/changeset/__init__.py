"""Room 3, what one run read: the changeset, kept as numbered rows in Parquet until it is delivered."""
