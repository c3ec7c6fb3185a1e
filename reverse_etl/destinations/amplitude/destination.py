"""Amplitude as a destination: one sync's way into one project. ``delivery`` decides what is sent when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from reverse_etl.changeset import columns
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations.amplitude import client, items
from reverse_etl.destinations.amplitude.answers import SHORT_ID
from reverse_etl.destinations.amplitude.environment import at_address
from reverse_etl.destinations.base import Answer, KeptBack, Limits
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience
from reverse_etl.report import Outcome, Reason

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.destinations.amplitude.client import Client
    from reverse_etl.destinations.amplitude.config import Config
    from reverse_etl.destinations.amplitude.sync import Outgoing

MAX_ITEM_BYTES: Final = 32_000
MAX_REQUEST_BYTES: Final = 10_000_000
"""Amplitude takes 20 MB. Source: Batch Event Upload, 2026-03."""


@asynccontextmanager
async def opened(
    sync: Outgoing, config: Config, *, patience: Patience | None = None, clock: Clock | None = None
) -> AsyncIterator[AmplitudeProject]:
    """A project, ready for one run of one sync; nothing is asked or sent before ``prepare``."""
    clock = clock or Clock()
    async with client.opened(config, clock) as project:
        yield AmplitudeProject(sync, config, project, patience or Patience.of_run(config.label, clock))


class AmplitudeProject:
    """A ``destinations.base.Destination``."""

    def __init__(self, sync: Outgoing, config: Config, project: Client, patience: Patience) -> None:
        self.name = config.label
        self.kind: str = config.type
        self.limits = Limits(
            max_item_bytes=MAX_ITEM_BYTES,
            max_request_bytes=MAX_REQUEST_BYTES,
            envelope_bytes=len(project.before) + len(project.after),
            max_items=config.max_items_per_request,
            requests_per_second=config.requests_per_second,
            max_requests_in_flight=config.max_requests_in_flight,
        )
        self.recipient = at_address(config)
        self._sync = sync
        self._min_id_length = config.min_id_length
        self._client = project
        self._patience = patience
        self.only_reads = True

    async def prepare(self) -> None:
        """Makes sure that the API key is taken. Raises DestinationError."""
        await self._client.who_is_there(self._patience)

    async def kept_back(self, batch: pa.RecordBatch, stream: str) -> Sequence[KeptBack]:
        """Rows whose user has a shorter id than the project takes: for one of them Amplitude refuses the request."""
        section = self._sync.amplitude
        if section.group_type is not None:
            return ()
        lengths = pc.utf8_length(self.identifiers(batch, stream))
        rows = batch.column(ROW_NUMBER).filter(pc.less(lengths, self._min_id_length))
        message = f"column `{section.identify_by}` has fewer than {self._min_id_length} characters (`min_id_length`)."
        return [KeptBack(rows, Outcome.REJECTED, Reason(SHORT_ID, section.identify_by, message))] if len(rows) else ()

    def identifiers(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """Each row's user or group."""
        return columns.identifiers(batch, self._sync.stream(stream))

    def repeats(self, stream: str) -> bool:
        """Of one user there may be many events."""
        return self._sync.stream(stream).repeats

    def items(self, batch: pa.RecordBatch, stream: str) -> list[bytes]:  # noqa: ARG002 - there is one
        """Each row as one event of Amplitude's."""
        return items.items(batch, self._sync)

    async def send(self, items: Sequence[bytes]) -> Answer:
        """One request. Raises UnauthorizedError, DestinationRefusedError."""
        return await self._client.send(items)
