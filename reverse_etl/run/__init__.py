"""One run from start to end: its stages, whose turn it is, what a stop left, how its books are closed."""
