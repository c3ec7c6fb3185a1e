"""The sample shop: a deterministic database with a few rows bad on purpose."""
