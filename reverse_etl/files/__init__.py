"""Files that are private and written whole or not at all, scratch databases, the place that all machines share."""
