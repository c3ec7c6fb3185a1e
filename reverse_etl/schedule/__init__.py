"""Room 9, when a run is due."""
