"""Room 7, what is remembered: last sync times, the history of runs, failed rows."""
