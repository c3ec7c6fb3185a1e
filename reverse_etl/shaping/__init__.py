"""What becomes of a row between the query and the checks: whether it is kept, and what its columns are."""
