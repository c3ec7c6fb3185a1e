"""Which rows may leave: built-in rules that always apply, and the checks a sync asks for."""
