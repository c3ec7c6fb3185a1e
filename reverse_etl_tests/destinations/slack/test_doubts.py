"""A message whose answer was lost: asked for in its channel, and in doubt where that says nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import with_row_numbers
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.powers import Fate
from reverse_etl.destinations.slack.destination import opened
from reverse_etl_tests.destinations.scripted import Asked, Said, scripted_server
from reverse_etl_tests.destinations.slack.configs import sync, workspace

BATCH = next(with_row_numbers([pa.RecordBatch.from_pydict({"text": ["one"]})]))


def fates(*answers: Said, **section: Any) -> tuple[list[Any], list[str]]:
    """What is found in one look after the other, and the paths that were asked."""

    async def look() -> tuple[list[Any], list[str]]:
        left = [*answers]
        async with (
            scripted_server(lambda _: left.pop(0)) as server,
            opened(sync(**section), workspace(server.url)) as slack,
        ):
            slack.of_run("run-1", 1_700_000_000)
            items = slack.items(BATCH, "rows")
            found = []
            while left:
                found.append(await slack.fate(items))
            return found, [each.path for each in server.requests]

    return asyncio.run(look())


def key() -> str:
    """The key that the message of ``BATCH`` carries in that run."""
    posted: list[dict[str, Any]] = []

    def post(asked: Asked) -> Said:
        posted.append(json.loads(asked.body))
        return Said(200, b'{"ok":true,"ts":"1.1"}')

    async def send() -> None:
        async with scripted_server(post) as server, opened(sync(), workspace(server.url)) as slack:
            slack.of_run("run-1", 1_700_000_000)
            await slack.send_once(slack.items(BATCH, "rows"))

    asyncio.run(send())
    [message] = posted
    assert {"channel", "text", "metadata"} == {*message}
    found: str = message["metadata"]["event_payload"]["key"]
    return found


def page(*keys: str, cursor: str = "") -> Said:
    """A channel's messages."""
    messages = [
        {"ts": "1.1", "metadata": {"event_type": "reverse_etl_message", "event_payload": {"key": each}}}
        for each in keys
    ]
    more = {"has_more": bool(cursor), "response_metadata": {"next_cursor": cursor}}
    return Said(
        200, json.dumps({"ok": True, "messages": [*messages, {"ts": "1.0", "text": "by a person"}], **more}).encode()
    )


def test_a_message_that_the_channel_shows_was_posted() -> None:
    """On a further page too; what was posted long before the run is not looked at."""
    found, paths = fates(page("other", cursor="c2"), page(key()))
    assert [Fate.WRITTEN] == found
    assert "oldest=1699996400" in paths[0]
    assert "include_all_metadata=true" in paths[0]
    assert "cursor=c2" in paths[1]


def test_a_message_that_is_not_shown_is_looked_for_twice() -> None:
    """Slack may show it a moment later."""
    (first, second), _ = fates(page("other"), page())
    assert isinstance(first, TryAgain)
    assert first.after_s
    assert Fate.NOT_WRITTEN is second
    (first, second), _ = fates(page("other"), page(key()))
    assert Fate.WRITTEN is second


@pytest.mark.parametrize(
    "answer",
    [
        Said(200, b'{"ok":false,"error":"missing_scope","needed":"channels:history"}'),
        Said(200, b'{"ok":false,"error":"not_in_channel"}'),
        Said(200, b'{"ok":true,"messages":[],"has_more":true}'),
    ],
)
def test_a_channel_that_cannot_be_read_leaves_the_doubt(answer: Said) -> None:
    """Unless the sync asks for the message to be sent again."""
    assert [Fate.UNKNOWN] == fates(answer)[0]
    assert [Fate.NOT_WRITTEN] == fates(answer, on_doubt="resend")[0]


def test_a_channel_with_too_many_messages_leaves_the_doubt() -> None:
    """The search ends."""
    assert [Fate.UNKNOWN] == fates(*[page("other", cursor="more")] * 20)[0]


def test_a_history_that_does_not_answer_now_is_asked_again() -> None:
    """A rate limit, or a fault of Slack's: that settles nothing."""
    found, _ = fates(Said(429, b"", {"retry-after": "4"}), Said(500, b""))
    assert [4.0, None] == [each.after_s for each in found]
