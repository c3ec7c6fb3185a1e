"""Room 6, sending, politely: batches, pace, retries, and the outcome of every row."""
