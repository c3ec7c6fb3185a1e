"""What was asked for: the files the user writes, read, checked and located."""
