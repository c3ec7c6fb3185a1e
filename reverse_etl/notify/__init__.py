"""Alerts when a sync fails, gets stale or recovers: when to send one, and the channels that carry it."""
