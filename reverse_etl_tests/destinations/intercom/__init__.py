"""Intercom as a destination."""
