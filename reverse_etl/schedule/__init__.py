"""Room 8, when a run is due."""
