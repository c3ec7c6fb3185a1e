"""Room 5, how a row is encoded: one folder per destination, each a plugin named like the destination."""
