"""Who is alive: this process and others, the runs that they work on, the folders that they keep for themselves."""
