"""How fast, how patiently, how many at once: what asking any service over a network has in common."""
