"""The journal, its upload, the ledger and what it is held against."""
