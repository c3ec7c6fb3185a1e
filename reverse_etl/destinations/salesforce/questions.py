"""What is asked for a first sync to Salesforce."""

from __future__ import annotations

from reverse_etl.destinations.first_sync import Asks, FirstRows, NeededColumn


def first_rows(asks: Asks) -> FirstRows:
    """The object, and the field that identifies its records."""
    kind = asks.text("Object (API name, custom ones end in __c)", "Account")
    key = asks.text("External ID field that identifies a record")
    settings = {"object": kind, "identify_by": key}
    return FirstRows("salesforce", settings, (NeededColumn(key, f"Column that holds {key}", named_alike=False),))
