"""Which processes are alive, the runs that they work on, and the folders that they lock."""
