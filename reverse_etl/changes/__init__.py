"""What differs from what the destination acknowledged before, and what of it a run has to send."""
