"""The command ``reverse-etl``: a module for each in ``commands``, and here what they share."""
