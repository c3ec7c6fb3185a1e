"""What became of a message whose answer was lost, by what its channel shows: the key travels with each message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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


async def fate_of(client: Client, channel: str, key: str, *, since: int) -> Fate | TryAgain:
    """Whether a channel has the message with a key.

    Args:
        client: The workspace.
        channel: Its id.
        key: As ``metadata`` carries it.
        since: Unix seconds; older messages are not looked at.

    Returns:
        ``UNKNOWN`` where the app may not read the channel, or too much was posted there since.
    """
    cursor = ""
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
        if any(_key_of(each) == key for each in messages):
            return Fate.WRITTEN
        cursor = str((read.get("response_metadata") or {}).get("next_cursor") or "")
        if not read.get("has_more"):
            return Fate.NOT_WRITTEN
        if not cursor:
            return Fate.UNKNOWN
    return Fate.UNKNOWN


def _key_of(message: object) -> str:
    metadata = message.get("metadata") if isinstance(message, dict) else None
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT_TYPE:
        return ""
    payload = metadata.get("event_payload")
    return str(payload.get("key", "")) if isinstance(payload, dict) else ""
