"""Private files, scratch databases, the place that all machines share."""
