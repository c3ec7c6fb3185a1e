"""What is asked for a first sync to HubSpot."""

from __future__ import annotations

from typing import Any, Final

from reverse_etl.destinations.first_sync import Asks, FirstRows, NeededColumn

_KEYS: Final = {"contacts": "email"}


def first_rows(asks: Asks) -> FirstRows:
    """The object type and what finds its records."""
    kind = asks.text("Object type (contacts, companies, deals, tickets, or one like 2-1234567)", "contacts")
    by = asks.text("Unique property that finds a record, by its internal name", _KEYS.get(kind))
    write = asks.choice("How rows are written", ("add_and_update", "update_only", "add_only"))
    settings: dict[str, Any] = {"object": kind, "identify_by": by}
    if write != "add_and_update":
        settings["write"] = write
    asks.tell("Each column is the property of its name: rename columns with AS.")
    column = NeededColumn(by, f"Column that holds the {by}", named_alike=False)
    return FirstRows("hubspot", settings, (column,), address=_KEYS.get(kind, ""))
