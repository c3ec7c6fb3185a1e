"""Slack as a destination."""
