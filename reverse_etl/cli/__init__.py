"""The command ``reverse-etl``: one small file per group of commands."""
