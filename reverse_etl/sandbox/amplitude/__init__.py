"""A stand-in Amplitude project: events, user and group properties, cohorts."""
