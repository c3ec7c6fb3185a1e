"""Sending, politely: batches, pace, retries, and the outcome of every row."""
