"""Alerts when a sync fails, gets old or is well again: deciding what to say, and the channels that say it."""
