"""The built-in rules that every sync has; which sync has which is decided in ``checks.rules``."""
