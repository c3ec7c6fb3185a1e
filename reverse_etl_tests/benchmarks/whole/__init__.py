"""Whole runs as users start them, their stages alone, the least that the same work can cost, and drt's own command."""
