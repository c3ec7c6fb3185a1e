"""The commands: a module for each, named like it, with a function of that name and ``EXAMPLES`` of its use."""
