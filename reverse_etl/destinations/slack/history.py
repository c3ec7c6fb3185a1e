"""What became of a message whose answer was lost, by what its channel shows: the key travels with each message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.powers import Fate
from reverse_etl.errors import UnauthorizedError

if TYPE_CHECKING:
    from reverse_etl.destinations.slack.client import Client

EVENT_TYPE: Final = "reverse_etl_message"
BEFORE_S: Final = 3_600
"""Messages are looked for from this long before the run began: clocks differ."""
SHOWN_AFTER_S: Final = 2.0
"""A message that is not shown is looked for again after this long, before it counts as not posted."""

_PAGE: Final = "200"
_MOST_PAGES: Final = 20
_MOST_ONCE: Final = 150
"""A message's metadata has 8 kB. Source: docs.slack.dev, message metadata, read 2026-11."""


def metadata_of(key: str, once: Sequence[str]) -> dict[str, Any]:
    """What travels with a message: its key, and those of what it is sent once for, as far as there is room."""
    more = {"more": True} if len(once) > _MOST_ONCE else {}
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key, "once": [*once[:_MOST_ONCE]], **more}}


async def fate_of(client: Client, channel: str, *, since: int, key: str = "", once: str = "") -> Fate | TryAgain:
    """Whether a channel has the message with a key, or one that was sent for another.

    Args:
        client: The workspace.
        channel: Its id.
        since: Unix seconds; older messages are not looked at.
        key: As ``metadata_of`` has it.
        once: Alike, instead.

    Returns:
        ``UNKNOWN`` where the app may not read the channel, or too much was posted there since.
    """
    cursor, more = "", False
    for _ in range(_MOST_PAGES):
        asked = {"channel": channel, "include_all_metadata": "true", "limit": _PAGE, "oldest": str(since)}
        try:
            read = await client.ask("conversations.history", **asked, **({"cursor": cursor} if cursor else {}))
        except UnauthorizedError:
            return Fate.UNKNOWN
        if isinstance(read, TryAgain):
            return read
        messages = read.get("messages")
        if not read["ok"] or not isinstance(messages, list):
            return Fate.UNKNOWN
        for payload in map(_payload_of, messages):
            if (key and payload.get("key") == key) or (once and once in (payload.get("once") or ())):
                return Fate.WRITTEN
            more |= bool(once and payload.get("more"))
        cursor = str((read.get("response_metadata") or {}).get("next_cursor") or "")
        if not read.get("has_more"):
            return Fate.UNKNOWN if more else Fate.NOT_WRITTEN
        if not cursor:
            return Fate.UNKNOWN
    return Fate.UNKNOWN


def _payload_of(message: object) -> dict[str, Any]:
    metadata = message.get("metadata") if isinstance(message, dict) else None
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT_TYPE:
        return {}
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, dict) else {}
