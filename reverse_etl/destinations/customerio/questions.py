"""What is asked for a first sync to Customer.io: people, objects or events, and what identifies them."""

from __future__ import annotations

from typing import Any

from reverse_etl.destinations.customerio.sync import KINDS
from reverse_etl.destinations.first_sync import Asks, FirstRows, NeededColumn


def first_rows(asks: Asks) -> FirstRows:
    """The section of people, objects or events."""
    kind = asks.choice("What is a row", KINDS)
    if kind == "objects":
        number = asks.text("Number of the object type", "1")
        return FirstRows(kind, {"object_type": int(number) if number.isdecimal() else number}, (_holds("object_id"),))
    identifier = asks.choice("What identifies a person", ("id", "email"))
    settings: dict[str, Any] = {"identify_by": identifier}
    if kind == "people":
        return FirstRows(kind, settings, (_holds(identifier),), address="email")
    settings["name"] = asks.text("Name of the event")
    time = NeededColumn("occurred_at", "Column with the time of the event", named_alike=False)
    own = NeededColumn("event_id", "Column that tells one event from every other", optional=True, key=True)
    return FirstRows(kind, settings, (_holds(identifier), time, own))


def _holds(name: str) -> NeededColumn:
    return NeededColumn(name, f"Column that holds the {name}")
