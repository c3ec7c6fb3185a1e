"""What every HTTP client here has in common: the way out, whom it trusts, how much of an answer it reads."""
