"""Amplitude as a destination."""
