"""What is asked for a first sync to Slack."""

from __future__ import annotations

from typing import Any

from reverse_etl.destinations.first_sync import Asks, FirstRows, NeededColumn
from reverse_etl.destinations.slack.template import columns_of


def first_rows(asks: Asks) -> FirstRows:
    """Where messages go, what they say, and what tells them apart."""
    channel = asks.text("Channel", "#general")
    message = asks.text("Message, with columns as {{name}}")
    once = asks.text("Column that tells one message from another", "id")
    settings: dict[str, Any] = {"channel": channel, "message": message, "once_per": [once]}
    names = dict.fromkeys((once, *columns_of(message)))
    return FirstRows("slack", settings, tuple(NeededColumn(name, f"Column that holds {name}") for name in names))
