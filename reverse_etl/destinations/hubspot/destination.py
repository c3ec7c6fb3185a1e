"""HubSpot as a destination: one sync's way into one account. ``delivery`` decides what is sent when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset import columns
from reverse_etl.changeset.parts import ROW_NUMBER, numbers_where
from reverse_etl.config.streams import ROWS
from reverse_etl.counted import counted
from reverse_etl.destinations._http import fields
from reverse_etl.destinations.base import Accepted, Answer, InDoubt, KeptBack, Limits, TryAgain
from reverse_etl.destinations.hubspot import client, items
from reverse_etl.destinations.hubspot.adding import MOST_READ, Adder
from reverse_etl.destinations.hubspot.after import Afterwards, JoinList, Relate
from reverse_etl.destinations.hubspot.environment import at_address
from reverse_etl.destinations.hubspot.properties import (
    WORD,
    association_type,
    properties,
    require_list,
    require_required,
)
from reverse_etl.destinations.hubspot.section import EMAIL, RECORD_ID
from reverse_etl.destinations.hubspot.writing import Writer
from reverse_etl.destinations.left_out import EXISTS
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience
from reverse_etl.report import Outcome

if TYPE_CHECKING:
    from reverse_etl.destinations._http.fields import Field
    from reverse_etl.destinations.hubspot.client import Client
    from reverse_etl.destinations.hubspot.config import Config
    from reverse_etl.destinations.hubspot.section import HubSpot
    from reverse_etl.destinations.hubspot.sync import Outgoing

MAX_ITEM_BYTES: Final = 1_000_000
MAX_REQUEST_BYTES: Final = 4_000_000
"""HubSpot names no limit, and answers 413 above the one that it has; halves are sent then."""

_ENVELOPE_BYTES: Final = 10_000
"""What calls add to each of a hundred rows."""


@asynccontextmanager
async def opened(
    sync: Outgoing,
    config: Config,
    names: Sequence[str],
    *,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[HubSpotAccount]:
    """An account, ready for one run of one sync; nothing is asked or sent before ``prepare``."""
    clock = clock or Clock()
    async with client.opened(config, clock) as account:
        yield HubSpotAccount(sync, config, account, names, patience or Patience.of_run(config.label, clock))


class HubSpotAccount:
    """A ``destinations.base.Destination``."""

    def __init__(
        self, sync: Outgoing, config: Config, account: Client, names: Sequence[str], patience: Patience
    ) -> None:
        self.name = config.label
        self.kind: str = config.type
        self.limits = Limits(
            max_item_bytes=MAX_ITEM_BYTES,
            max_request_bytes=MAX_REQUEST_BYTES,
            envelope_bytes=_ENVELOPE_BYTES,
            max_items=config.max_items_per_request,
            requests_per_second=config.requests_per_second / calls_of(sync.hubspot),
            max_requests_in_flight=config.max_requests_in_flight,
        )
        self.recipient = at_address(config)
        self._sync = sync
        self._client = account
        self._names = names
        self._patience = patience
        self._fields: Mapping[str, Field] = {}
        self._writer = Writer(account, sync.hubspot, ())
        self._adder = Adder(self._writer, sync.hubspot.identify_by)
        self.once = sync.hubspot.write == "add_only"
        self.only_reads = True

    async def prepare(self) -> None:
        """Asks for the account and its properties, and makes sure that it can take what the sync sends.

        Raises:
            DestinationError: It cannot, or does not answer.
        """
        section, patience = self._sync.hubspot, self._patience
        environment = await self._client.who_is_there(patience)
        self.recipient = replace(self.recipient, environment=environment)
        self._fields = await properties(self._client, patience, section.object)
        if section.write != "update_only":
            await require_required(self._client, patience, section.object, (section.identify_by, *self._names))
        where = f"{self.name}, {section.object}"
        fields.require_key(self._fields, section.identify_by, where=where, word=WORD)
        fields.require_fields(self._fields, self._property_columns, where=where, word=WORD)
        self._writer = Writer(self._client, section, await self._afterwards(section))
        self._adder = Adder(self._writer, section.identify_by)

    async def kept_back(self, batch: pa.RecordBatch, stream: str) -> Sequence[KeptBack]:  # noqa: ARG002 - there is one
        """Rows with values that their properties do not take; for ``add_only``, rows whose records exist.

        Of a row that is gone no value is sent. Raises DestinationError.
        """
        if self._sync.gone(ROWS) is not None:
            batch = batch.filter(pc.invert(columns.deleted_rows(batch)))
        names = (self._sync.hubspot.identify_by, *self._property_columns)
        found = fields.kept_back(batch, [self._fields[name] for name in names if name in self._fields])
        return [*found, *await self._existing(batch, found)] if self.once else found

    def identifiers(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """Each row's key."""
        return columns.identifiers(batch, self._sync.stream(stream))

    def repeats(self, stream: str) -> bool:
        """A record comes once."""
        return self._sync.stream(stream).repeats

    def items(self, batch: pa.RecordBatch, stream: str) -> list[bytes]:  # noqa: ARG002 - there is one
        """Each row as what identifies its record, and the properties."""
        return items.items(batch, self._sync, self._fields)

    async def send(self, items: Sequence[bytes]) -> Answer:
        """One request of up to 100 rows, in one or several calls. Raises DestinationError."""
        return await self._writer.write(items)

    async def send_once(self, items: Sequence[bytes]) -> Answer | InDoubt:
        """The same for ``add_only``. Raises DestinationError."""
        return await self._adder.add(items)

    async def fate(self, items: Sequence[bytes]) -> Accepted | TryAgain:
        """What became of a request in doubt of ``add_only``. Raises DestinationError."""
        return await self._adder.fate(items)

    def notices(self) -> Sequence[str]:
        """How many records HubSpot wrote with a warning, if any."""
        if not self._writer.warned:
            return ()
        records = counted(self._writer.warned, "record")
        return (f"HubSpot warned of {records} that it wrote: look there whether they are as they should be.",)

    async def _existing(self, batch: pa.RecordBatch, found: Sequence[KeptBack]) -> list[KeptBack]:
        """The rows whose records exist already, of those that are not kept back otherwise."""
        by = self._sync.hubspot.identify_by
        if found:
            others = pa.chunked_array([each.rows for each in found])
            batch = batch.filter(pc.invert(pc.is_in(batch.column(ROW_NUMBER), value_set=others.combine_chunks())))
        keys = columns.identifiers(batch, self._sync.stream(ROWS))
        there: set[str] = set()
        for start in range(0, len(keys), MOST_READ):
            part = [key for key in keys[start : start + MOST_READ].to_pylist() if key]
            answer = await self._patience.until_settled(partial(self._writer.find, part)) if part else {}
            if not isinstance(answer, dict):
                raise self._client.unreadable("which records there are")
            there |= answer.keys()
        exist = pc.is_in(pc.utf8_lower(keys) if by == EMAIL else keys, value_set=pa.array([*there], pa.string()))
        rows = numbers_where(batch, exist)
        return [KeptBack(rows, Outcome.EXCLUDED, EXISTS)] if len(rows) else []

    async def _afterwards(self, section: HubSpot) -> list[Afterwards]:
        found: list[Afterwards] = []
        if section.list is not None:
            await require_list(self._client, self._patience, section.list.id, section.object)
            found.append(JoinList(self._client, section.list.id))
        if (associate := section.associate) is not None:
            there = await properties(self._client, self._patience, associate.to)
            where = f"{self.name}, {associate.to}"
            fields.require_key(there, associate.identify_by, where=where, word=WORD, key="associate.identify_by")
            category, type_id = await association_type(self._client, self._patience, section.object, associate)
            found.append(Relate(self._client, section.object, associate, category, type_id))
        return found

    @property
    def _property_columns(self) -> tuple[str, ...]:
        return items.property_columns(list(self._names), self._sync)


def calls_of(section: HubSpot) -> int:
    """How many calls a request's rows take at most, which share the rate limit."""
    if section.write == "add_and_update":
        calls = 3 if section.identify_by == EMAIL else 1
    else:
        calls = 2 if section.write == "update_only" and section.identify_by != RECORD_ID else 1
    return calls + (section.list is not None) + 2 * (section.associate is not None)
