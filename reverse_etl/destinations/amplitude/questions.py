"""What is asked for a first sync to Amplitude."""

from __future__ import annotations

from typing import Any

from reverse_etl.destinations.first_sync import Asks, FirstRows, NeededColumn


def first_rows(asks: Asks) -> FirstRows:
    """Users' properties, events, or members of a cohort."""
    send = asks.choice("What is a row", ("user_properties", "events", "cohort"))
    if send == "cohort":
        name = asks.text("Name of the cohort, which must exist")
        user = NeededColumn("user_id", "Column that holds the user_id", named_alike=False)
        return FirstRows("amplitude", {"send": send, "cohort": {"name": name}}, (user,))
    by = asks.choice("What identifies a user", ("user_id", "device_id"))
    settings: dict[str, Any] = {"send": send, "identify_by": by}
    user = NeededColumn(by, f"Column that holds the {by}", named_alike=False)
    if send == "user_properties":
        return FirstRows("amplitude", settings, (user,))
    settings["event_type"] = asks.text("Type of the event")
    time = NeededColumn("occurred_at", "Column with the time of the event", named_alike=False)
    return FirstRows("amplitude", settings, (user, time))
