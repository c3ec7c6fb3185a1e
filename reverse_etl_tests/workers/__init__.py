"""Signs of life and locks on folders."""
