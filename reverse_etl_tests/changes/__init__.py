"""Tests of what differs from what was acknowledged."""
