"""What is remembered: last sync times, the history of runs, failed rows."""
