"""Slack in trouble: each message is posted once, or said to be in doubt."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pyarrow as pa

from reverse_etl.destinations.base import Destination
from reverse_etl.destinations.slack.destination import opened
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl_tests.destinations.services import Fault, ServiceFaults
from reverse_etl_tests.destinations.slack.configs import sync, workspace
from reverse_etl_tests.servers.saas import RunningStandin


class Messages(ServiceFaults):
    """A message a row, into one channel."""

    name: ClassVar[str] = "slack"
    path: ClassVar[str] = "/api/chat.postMessage"
    own: ClassVar[tuple[Fault, ...]] = ()
    ends: ClassVar[tuple[Fault, ...]] = ({"own": "token_revoked"},)
    once: ClassVar[bool] = True

    def set_up(self, standin: RunningStandin) -> None:
        """No limit but the destination's own."""
        standin.set(messages_a_second=0, lookups_a_minute=0, lists_a_minute=0)

    def open(self, url: str, clock: Clock) -> AbstractAsyncContextManager[Destination]:
        """Into the channel that there is."""
        return opened(sync(channel="#general"), workspace(f"{url}/api"), clock=clock)

    def rows(self, count: int) -> pa.RecordBatch:
        """Texts that differ."""
        return pa.record_batch({"text": [f"message {n}" for n in range(count)]})

    def held(self, standin: RunningStandin) -> Counter[tuple[str, Any]]:
        """The messages by their texts."""
        return Counter((each["text"], None) for each in standin.records("messages", limit=1_000))

    def wanted(self, batch: pa.RecordBatch) -> list[tuple[str, Any]]:
        """The texts."""
        return [(row["text"], None) for row in batch.to_pylist()]


class TestIntoOneChannel(Messages):
    """A doubt is settled by the channel's history."""


class TestWithoutHistory(Messages):
    """The history cannot be read either: what is in doubt is said, and not posted again."""

    path: ClassVar[str] = "/api/c"
