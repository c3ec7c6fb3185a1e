"""Room 5, how a row is said: one folder per destination, each a plugin named like the destination."""
