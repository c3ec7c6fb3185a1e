"""Intercom as a destination: one sync's way into one workspace, a row at a time. ``delivery`` decides when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson
import pyarrow.compute as pc

from reverse_etl.changeset import columns
from reverse_etl.config.gone import DELETED
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations._http import fields
from reverse_etl.destinations.base import Answer, InDoubt, KeptBack, Limits, TryAgain
from reverse_etl.destinations.intercom import client, items
from reverse_etl.destinations.intercom.contacts import Contacts, write_company
from reverse_etl.destinations.intercom.environment import at_address
from reverse_etl.destinations.intercom.known import known_attributes, require_attributes
from reverse_etl.destinations.powers import Fate
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.destinations._http.fields import Field
    from reverse_etl.destinations.intercom.client import Client
    from reverse_etl.destinations.intercom.config import Config
    from reverse_etl.destinations.intercom.sync import Outgoing

MAX_ITEM_BYTES: Final = 1_000_000


@asynccontextmanager
async def opened(
    sync: Outgoing,
    config: Config,
    names: Sequence[str],
    *,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[IntercomWorkspace]:
    """A workspace, ready for one run of one sync; nothing is asked or sent before ``prepare``."""
    clock = clock or Clock()
    async with client.opened(config, clock) as workspace:
        yield IntercomWorkspace(sync, config, names, workspace, patience or Patience.of_run(config.label, clock))


class IntercomWorkspace:
    """A ``destinations.base.Destination`` whose requests have one item each."""

    def __init__(
        self, sync: Outgoing, config: Config, names: Sequence[str], workspace: Client, patience: Patience
    ) -> None:
        self.name = config.label
        self.kind: str = config.type
        self.limits = Limits(
            max_item_bytes=MAX_ITEM_BYTES,
            max_request_bytes=MAX_ITEM_BYTES,
            envelope_bytes=0,
            max_items=1,
            requests_per_second=config.requests_per_second,
            max_requests_in_flight=config.max_requests_in_flight,
        )
        self.recipient = at_address(config)
        self._sync = sync
        self._section = section = sync.intercom
        self._names = [name for name in names if name != DELETED or section.when_gone is None]
        self._client = workspace
        self._patience = patience
        self._fields: Mapping[str, Field] = {}
        self._contacts = Contacts(workspace, section)
        self.once = section.object == "contacts" and self._contacts.once
        self.only_reads = True

    async def prepare(self) -> None:
        """Makes sure that the workspace takes what the sync sends. Raises DestinationError."""
        self.recipient = replace(self.recipient, environment=await self._client.who_is_there(self._patience))
        there = await known_attributes(self._client, self._patience, self._section)
        require_attributes(there, self._section, self._names, self.name)
        self._fields = there

    async def kept_back(self, batch: pa.RecordBatch, stream: str) -> Sequence[KeptBack]:  # noqa: ARG002 - there is one
        """Rows with values that their attributes do not take."""
        if self._sync.gone(ROWS) is not None:
            batch = batch.filter(pc.invert(columns.deleted_rows(batch)))
        own = items.OWN[self._section.object]
        return fields.kept_back(batch, [field for name, field in self._fields.items() if name not in own])

    def identifiers(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """Each row's key."""
        return columns.identifiers(batch, self._sync.stream(stream))

    def repeats(self, stream: str) -> bool:  # noqa: ARG002 - there is one
        """No: a contact or company comes once."""
        return False

    def items(self, batch: pa.RecordBatch, stream: str) -> list[bytes]:  # noqa: ARG002 - there is one
        """Each row as what is done with it."""
        return items.items(batch, self._sync)

    async def send(self, items: Sequence[bytes]) -> Answer:
        """All calls of one row. Raises DestinationError."""
        answer = await self._settled(items)
        return TryAgain(answer.cause) if isinstance(answer, InDoubt) else answer

    async def send_once(self, items: Sequence[bytes]) -> Answer | InDoubt:
        """The same; in doubt where a contact may have been made."""
        return await self._settled(items)

    async def fate(self, items: Sequence[bytes]) -> Fate | TryAgain:
        """Whether the contact is there. Raises DestinationError."""
        [item] = map(orjson.loads, items)
        if item.get("gone"):
            # What is gone already does not go again.
            return Fate.NOT_WRITTEN
        return await self._contacts.fate(str(item["key"]))

    async def _settled(self, items: Sequence[bytes]) -> Answer | InDoubt:
        [item] = map(orjson.loads, items)
        if self._section.object == "companies":
            return await write_company(self._client, item)
        return await self._contacts.settle(item)
