"""Rows sent to the stand-in as a run sends them, in this process, with a clock that does not wait."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from reverse_etl.changeset.parts import Parts, with_row_numbers
from reverse_etl.config.streams import ROWS
from reverse_etl.delivery.deliver import deliver
from reverse_etl.destinations.hubspot.destination import opened
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import Outcome, Reason
from reverse_etl_tests.destinations.hubspot.configs import account, sync
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.servers.saas import RunningStandin

DELIVERED, EXCLUDED, REJECTED, REFUSED = (
    Outcome.DELIVERED.name, Outcome.EXCLUDED.name, Outcome.REJECTED.name, Outcome.REFUSED.name,
)  # fmt: skip

Rows: TypeAlias = "list[dict[str, Any]] | pa.RecordBatch"


class Sent(NamedTuple):
    """What became of rows.

    Attributes:
        outcomes: Of each, in words.
        reasons: Of each failed row, by its number.
        slept_s: How long was waited in all.
    """

    outcomes: list[str]
    reasons: dict[int, Reason]
    slept_s: float


def send(standin: RunningStandin, folder: Path, rows: Rows, *, settings: Any = None, **section: Any) -> Sent:
    """Delivers rows as one run of a sync with a section does. Raises DestinationError."""
    batch = rows if isinstance(rows, pa.RecordBatch) else pa.RecordBatch.from_pylist(rows)
    parts = Parts(Path(mkdtemp(dir=folder)) / ROWS, ROWS)
    parts.write(with_row_numbers([batch]))
    time = FastClock()

    async def run() -> None:
        clock = time.clock()
        config = account(standin.url, **(settings or {}))
        async with opened(sync(**section), config, batch.schema.names, clock=clock) as destination:
            patience = Patience(RetryPolicy(), name=destination.name, clock=clock)
            await destination.prepare()
            await deliver(parts, parts.outcomes(batch.num_rows), destination, patience=patience, clock=clock)

    asyncio.run(run())
    outcomes = [Outcome(each).name for each in parts.outcomes(batch.num_rows).tolist()]
    return Sent(outcomes, {row.row_number: row.why for row in parts.failed()}, sum(time.slept_s))


def stored(standin: RunningStandin, *names: str, kind: str = "contacts", key: str = "customer_no") -> dict[str, Any]:
    """The values of properties of each live record, by its key; of one property the value alone."""
    live = (each["properties"] for each in standin.records(kind, limit=1_000) if not each["archived"])
    values = {each[key]: [each.get(name) for name in names] for each in live}
    return {number: each[0] for number, each in values.items()} if len(names) == 1 else values
