"""What is asked for a first sync to a table: its name, and its key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reverse_etl.destinations.first_sync import Asks, FirstRows, NeededColumn


def first_rows(asks: Asks, there: Mapping[str, Sequence[str]]) -> FirstRows:
    """The section ``rows``; the tables that are there are offered, with the columns of the chosen one."""
    table = asks.named("Table to write to (it must exist; schema.table)", [*there], "Tables")
    columns = there.get(table, ())
    default = "id" if not columns or "id" in columns else columns[0]
    key: list[str] = []
    if columns:
        asks.tell(f"Columns of {table}: {', '.join(columns)}")
    while not key:
        given = dict.fromkeys(asks.texts("The columns that identify a row, with commas between them", default))
        key = [name for name in given if not columns or name in columns]
        if len(key) < len(given):
            asks.tell(f"{table} has no column {', '.join(name for name in given if name not in columns)}.")
            key = []
    settings = {"table": table, "identify_by": key[0] if len(key) == 1 else key}
    return FirstRows("rows", settings, tuple(NeededColumn(name, f"Column that holds the {name}") for name in key))
