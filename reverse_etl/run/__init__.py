"""One run from start to end: its stages, its lease of the workspace, what a stop left, how it is closed."""
