"""A workspace whose every answer a test decides, behind real HTTP; and syncs delivered to it."""

# ruff: noqa: ARG002
# Test doubles answer without looking at what they are given.

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from reverse_etl.changeset.parts import Parts, with_row_numbers
from reverse_etl.delivery.deliver import Delivered, deliver
from reverse_etl.delivery.settling import Progress
from reverse_etl.destinations.base import Accepted, Answer, KeptBack, Limits
from reverse_etl.destinations.customerio.destination import open_destination
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import FailedRow, Outcome
from reverse_etl_tests.destinations.customerio.configs import sync, workspace
from reverse_etl_tests.destinations.scripted import Asked, FastClock, Said, scripted_server

PEOPLE = sync(people={})

Outcomes = np.ndarray[tuple[int], np.dtype[np.uint8]]


@dataclass(slots=True)
class ScriptedWorkspace:
    """Takes people; a test says what goes wrong.

    Attributes:
        bad: Ids that are refused.
        whole: Refuse the whole request (400) where the real one would list the bad items.
        most_bytes: Larger requests are answered 413.
        before: Answers instead of the workspace, nothing applied, while it lasts.
        after: The same after the request was applied.
        applied: Ids of every person taken, once for each time.
    """

    bad: frozenset[str] = frozenset()
    whole: bool = False
    most_bytes: int = 10**9
    before: list[Said | None] = field(default_factory=list)
    after: list[Said | None] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Said | None:
        """Answers one request."""
        if self.before:
            return self.before.pop(0)
        if len(asked.body) > self.most_bytes:
            return Said(413, b"")
        ids = [item["identifiers"]["id"] for item in json.loads(asked.body)["batch"]]
        self.sizes.append(len(ids))
        errors = [
            {"batch_index": place, "reason": "invalid", "field": "id", "message": "bad one"}
            for place, each in enumerate(ids)
            if each in self.bad
        ]
        if errors and self.whole:
            return Said(400, b'{"errors": [{"reason": "invalid", "field": "id", "message": "bad one"}]}')
        self.applied += [each for each in ids if each not in self.bad]
        if self.after:
            return self.after.pop(0)
        return Said(207, json.dumps({"errors": errors}).encode()) if errors else Said(200)


@dataclass(slots=True)
class Run:
    """People ``1`` to ``count`` in a folder, delivered as often as a test likes.

    Attributes:
        outcomes: One a row.
    """

    folder: Path
    count: int
    parts: Parts = field(init=False)
    outcomes: Outcomes = field(init=False)
    time: FastClock = field(default_factory=FastClock)

    def __post_init__(self) -> None:
        """Stores the people in two parts."""
        self.parts = Parts(self.folder / "rows", "rows")
        ids = [str(n) for n in range(1, self.count + 1)]
        middle = self.count // 2
        self.parts.write(
            with_row_numbers(pa.RecordBatch.from_pydict({"id": part}) for part in (ids[:middle], ids[middle:]))
        )
        self.outcomes = self.parts.outcomes(self.count)

    def deliver(
        self,
        script: Callable[[Asked], Said | None],
        *,
        config: Sync = PEOPLE,
        progress: Progress | None = None,
        policy: RetryPolicy | None = None,
        **settings: Any,
    ) -> Delivered:
        """One delivery, on a fast clock."""

        async def run() -> Delivered:
            async with scripted_server(script) as server:
                clock = self.time.clock()
                async with open_destination(config, workspace(server.url, **settings), clock=clock) as destination:
                    return await deliver(
                        self.parts,
                        self.outcomes,
                        destination,
                        progress=progress,
                        patience=Patience(policy or RetryPolicy(), name=destination.name, clock=clock),
                        clock=clock,
                    )

        return asyncio.run(run())

    def ids(self, outcome: Outcome) -> set[str]:
        """The people with an outcome, as the ledger on disk has it."""
        stored = self.parts.outcomes(self.count)
        assert stored.tolist() == self.outcomes.tolist()
        return {str(place + 1) for place in np.flatnonzero(stored == outcome)}

    def failed(self) -> list[FailedRow]:
        """The failed rows on disk."""
        return list(self.parts.failed())


class Blocking:
    """A destination that answers when it is asked to, and counts what is asked of it."""

    def __init__(self, in_flight: int) -> None:
        self.name, self.kind = "workspace main", "customerio"
        self.limits = Limits(
            max_item_bytes=100,
            max_request_bytes=1000,
            envelope_bytes=0,
            max_items=10,
            requests_per_second=1_000_000,
            max_requests_in_flight=in_flight,
        )
        self.may_answer = asyncio.Event()
        self.said_rows = 0
        self.open = 0
        self.most_open = 0

    async def kept_back(self, batch: pa.RecordBatch, query: str) -> Sequence[KeptBack]:
        """Nothing."""
        return []

    def identifiers(self, batch: pa.RecordBatch, query: str) -> pa.StringArray:
        """The ids."""
        return batch.column(0)

    def repeats(self, query: str) -> bool:
        """People come once."""
        return False

    def items(self, batch: pa.RecordBatch, query: str) -> list[bytes]:
        """Rows as anything."""
        self.said_rows += batch.num_rows
        return [b"x"] * batch.num_rows

    async def send(self, items: Sequence[bytes]) -> Answer:
        """Waits."""
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await self.may_answer.wait()
        self.open -= 1
        return Accepted()
