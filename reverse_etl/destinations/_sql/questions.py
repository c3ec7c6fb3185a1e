"""What is asked for a first sync to a table: its name, and its key."""

from __future__ import annotations

from reverse_etl.destinations.first_sync import Asks, FirstRows, NeededColumn


def first_rows(asks: Asks) -> FirstRows:
    """The section ``rows``."""
    table = asks.text("Table to write to (it must exist; schema.table)")
    key = list(dict.fromkeys(asks.texts("The columns that identify a row, with commas between them", "id")))
    settings = {"table": table, "identify_by": key[0] if len(key) == 1 else key}
    return FirstRows("rows", settings, tuple(NeededColumn(name, f"Column that holds the {name}") for name in key))
