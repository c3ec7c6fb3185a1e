"""Files: private, and whole or not at all, scratch databases, and the place that all machines share."""
