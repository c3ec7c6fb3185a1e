"""The workspace's feed of activities, read for one run's time: what was accepted and then not done.

Times are the workspace's own, so a wrong clock here does no harm. Source: App API OpenAPI, 2026: ``GET /v1/activities``
by type, 100 a page, 10 requests a second, kept for 30 days. Inferred: the latest come first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.destinations._http.reply import http_date
from reverse_etl.destinations.customerio.lookup import entries, next_page, unreadable
from reverse_etl.destinations.powers import Window

if TYPE_CHECKING:
    from reverse_etl.destinations._http.reply import Reply
    from reverse_etl.destinations.customerio.client import Client
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience

PAGE: Final = 100
MARGIN_S: Final = 5
"""Clocks of two of the workspace's servers may differ by so much."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that was accepted and not done.

    Attributes:
        id: The activity's own; may be empty.
        at: Unix seconds by the workspace's clock.
        type: The one that was asked for: ``failed_attribute_change``.
        name: An event's name; may be empty.
        named: Identifiers of the person or object: ``id``, ``email``, ``object_type_id``, ``object_id``.
        text: Every text in its data, in lower case, for finding the cause.
        field: The attribute at fault, where the feed names it.
    """

    id: str
    at: float
    type: str
    name: str
    named: dict[str, str]
    text: str
    field: str


async def window(client: Client, patience: Patience, types: tuple[str, ...]) -> Window:
    """The window that begins now.

    Raises:
        DestinationError: The feed cannot be read.
    """
    since, seen = 0, set[str]()
    for kind in types:
        reply = await patience.until_settled(partial(_ask, client, kind, ""))
        since = since or _server_time(reply) - MARGIN_S
        seen |= {str(found.get("id")) for found in _since(client, reply, since)}
    return Window(since, frozenset(seen))


async def since(
    client: Client, patience: Patience, types: tuple[str, ...], began: Window, *, clock: Clock, until: float
) -> tuple[list[Activity], bool]:
    """The activities of a window, and whether these are all of them.

    Args:
        client: The workspace.
        patience: The retry budget.
        types: Of which activities.
        began: The window.
        clock: Time.
        until: When to stop, on the clock.

    Raises:
        DestinationError: The feed cannot be read.
    """
    activities: dict[str, Activity] = {}
    for kind in types:
        start = ""
        while True:
            if clock.now() >= until:
                return list(activities.values()), False
            reply = await patience.until_settled(partial(_ask, client, kind, start))
            recent = _since(client, reply, began.since)
            for activity in (_activity(found, kind) for found in recent):
                if activity.id not in began.seen:
                    activities[activity.id] = activity
            start = next_page(reply, start, workspace=client.workspace)
            if not start or not recent:
                break
    return list(activities.values()), True


async def _ask(client: Client, kind: str, start: str) -> Any:
    params = {"type": kind, "limit": str(PAGE)} | ({"start": start} if start else {})
    return await client.ask("App", "GET", "/v1/activities", params=params)


def _since(client: Client, reply: Reply, since: int) -> list[dict[str, Any]]:
    """The activities of a page that are not older. Raises DestinationRefusedError where one lacks its time."""
    page = entries(reply, "activities", workspace=client.workspace)
    if not all(isinstance(found.get("timestamp"), (int, float)) for found in page):
        raise unreadable(reply, "timestamp", workspace=client.workspace)
    return [found for found in page if found["timestamp"] >= since]


def _server_time(reply: Reply) -> int:
    sent_at = http_date(reply.headers.get("date", ""))
    return int((sent_at or datetime.now(UTC)).timestamp())


def _activity(found: dict[str, Any], asked: str) -> Activity:
    data = found.get("data") if isinstance(found.get("data"), dict) else {}
    sources = [data, found.get("sent_identifiers"), found.get("customer_identifiers")]
    named: dict[str, str] = {}
    for source in sources:
        for kind in ("id", "email", "object_type_id", "object_id"):
            value = source.get(kind) if isinstance(source, dict) else None
            if isinstance(value, str) and value:
                named[kind] = value
    if not named.keys() & {"id", "email"} and isinstance(found.get("customer_id"), str):
        named["id"] = found["customer_id"]
    if asked.startswith(("_o:", "_r:")):
        named.setdefault("object_type_id", asked.split(":")[1])
    field = data.get("field") if isinstance(data, dict) else None
    return Activity(
        id=str(found.get("id")),
        at=found["timestamp"],
        type=asked,
        name=str(found.get("name") or ""),
        named=named,
        text=" ".join(_texts(data)).lower(),
        field=field if isinstance(field, str) else "",
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
