"""Salesforce as a destination: one sync's way into one org, by its collections. ``delivery`` decides when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset import columns
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.changeset.text import as_text
from reverse_etl.config.gone import DELETED
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations._http import fields
from reverse_etl.destinations.base import (
    Accepted,
    Again,
    Answer,
    InDoubt,
    KeptBack,
    Limits,
    Refusal,
    RequestRefused,
    TryAgain,
)
from reverse_etl.destinations.left_out import ALREADY_GONE, EXISTS, NO_RECORD, left_out
from reverse_etl.destinations.salesforce import answers, client, items, lookup
from reverse_etl.destinations.salesforce.bulk import BulkJobs
from reverse_etl.destinations.salesforce.described import NUMBERS, described, fields_of, require_fields
from reverse_etl.destinations.salesforce.domains import without_domain
from reverse_etl.destinations.salesforce.environment import at_address
from reverse_etl.destinations.salesforce.items import REMOVE, parted
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience
from reverse_etl.report import Outcome, Reason

if TYPE_CHECKING:
    from reverse_etl.destinations._http.reply import Reply
    from reverse_etl.destinations.salesforce.client import Client
    from reverse_etl.destinations.salesforce.config import Config
    from reverse_etl.destinations.salesforce.sync import Outgoing

MAX_REQUEST_BYTES: Final = 5_000_000
MAX_ITEM_BYTES: Final = 1_000_000

_OPEN: Final = b'{"allOrNone":false,"records":['
_CLOSE: Final = b"]}"
_SAME: Final = Reason(
    "same_record", "", "another row of the run is of the same account: let the query return one row each."
)
_NOT_ADDED: Final = Reason("not_added", "", "an answer was lost, and the record is not there.")
_SEVERAL: Final = Reason("several_matches", "", "several records of the org have this key.")


@asynccontextmanager
async def opened(
    sync: Outgoing,
    config: Config,
    names: Sequence[str],
    *,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[SalesforceOrg]:
    """An org, ready for one run of one sync; nothing is asked or sent before ``prepare``."""
    clock = clock or Clock()
    async with client.opened(config, clock) as org:
        yield SalesforceOrg(sync, config, names, org, patience or Patience.of_run(config.label, clock))


class SalesforceOrg(BulkJobs):
    """A ``destinations.base.Destination``."""

    def __init__(self, sync: Outgoing, config: Config, names: Sequence[str], org: Client, patience: Patience) -> None:
        super().__init__(org, sync.salesforce, config.label, patience)
        self.kind: str = config.type
        self._sync = sync
        self.limits = Limits(
            max_item_bytes=MAX_ITEM_BYTES,
            max_request_bytes=MAX_REQUEST_BYTES,
            envelope_bytes=len(_OPEN) + len(_CLOSE),
            max_items=config.max_records_per_request,
            requests_per_second=config.requests_per_second,
            max_requests_in_flight=config.max_requests_in_flight,
        )
        self.recipient = at_address(config)
        self._names = [name for name in names if name != DELETED or self._section.when_gone is None]
        parents = [name for name in self._names if "." in name]
        self._parent = parents[0] if parents else ""
        self.keeps_together = bool(parents)
        self._key_is_number = False
        self._rows_of: dict[str, str] = {}
        self.once = self._section.write == "add_only"
        self.only_reads = self._section.gone != "hard_delete"

    async def prepare(self) -> None:
        """Makes sure that the org takes what the sync sends. Raises DestinationError."""
        section = self._section
        self.recipient = replace(self.recipient, environment=await self._client.who_is_there(self._patience))
        path = f"{self._client.version}/sobjects/{section.object}/describe"
        reply = await self._patience.until_settled(partial(self._client.ask, "GET", path))
        there = described(reply, section, self.name)
        require_fields(there, section, self._names, self.name)
        self._fields = fields_of(there, self._names)
        if section.gone == "hard_delete":
            await self.require_hard_delete()
        self._key_is_number = there[section.key_field].get("type") in NUMBERS

    async def kept_back(self, batch: pa.RecordBatch, stream: str) -> Sequence[KeptBack]:  # noqa: ARG002 - there is one
        """Rows with values that their fields do not take; for ``add_only``, those that the org has a record of.

        Raises:
            DestinationError: The org was asked and gave no usable answer.
        """
        if self._section.when_gone is not None:
            batch = batch.filter(pc.invert(columns.deleted_rows(batch)))
        kept = fields.kept_back(batch, self._fields)
        if (by_domain := self._section.by_domain) is not None:
            kept += without_domain(batch, by_domain)
        if not self.once:
            return kept
        keys = columns.identifiers(batch, self._sync.stream(ROWS))
        some = lookup.portions(keys.to_pylist())
        found = [await self._patience.until_settled(partial(self._ids_of, each)) for each in some]
        there = pc.is_in(pc.utf8_lower(keys), value_set=pa.array([key for ids in found for key in ids], pa.string()))
        rows = batch.column(ROW_NUMBER).filter(there)
        return [*kept, KeptBack(rows, Outcome.EXCLUDED, EXISTS)] if len(rows) else kept

    def identifiers(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """Each row's key."""
        return columns.identifiers(batch, self._sync.stream(stream))

    def together(self, batch: pa.RecordBatch, stream: str) -> pa.StringArray:
        """The key of each row's parent, which Salesforce locks while a child is written; or its own."""
        own = self.identifiers(batch, stream)
        at = batch.schema.get_field_index(self._parent)
        return own if at < 0 else pc.coalesce(as_text(batch.column(at), batch.schema.field(at)), own)

    def repeats(self, stream: str) -> bool:  # noqa: ARG002 - there is one
        """No: a record comes once."""
        return False

    def items(self, batch: pa.RecordBatch, stream: str) -> list[bytes]:  # noqa: ARG002 - there is one
        """Each row as a record, or as the key of one to delete."""
        return items.items(batch, self._sync)

    async def send(self, items: Sequence[bytes]) -> Answer:
        """One request, or several where some of its rows are gone, or are looked up. Raises DestinationError."""
        there, gone = parted(items)
        answer = await self._in_turn(items, (there, self._write), (gone, self._delete))
        return TryAgain(answer.cause) if isinstance(answer, InDoubt) else answer

    async def _in_turn(self, items: Sequence[bytes], *steps: tuple[Sequence[int], _Step]) -> Answer | InDoubt:
        """Some of the items, then the others: what settles nothing has all of them sent again, which does no harm."""
        found: list[Accepted] = []
        for places, step in steps:
            if not places:
                continue
            answer = await step([items[place] for place in places])
            if not isinstance(answer, Accepted):
                return answer
            found.append(_at(answer, places))
        refusals, excluded, again = ([each for one in found for each in getattr(one, name)] for name in _PARTS)
        return Accepted(tuple(sorted(refusals)), tuple(sorted(excluded)), tuple(sorted(again)))

    async def send_once(self, items: Sequence[bytes]) -> Answer | InDoubt:
        """Adds records, after those that are gone are deleted; what is added may be there where the answer is lost.

        Never an upsert: a record that another program has added since it was looked for is not to be changed.

        Raises:
            DestinationError: No request can succeed.
        """
        there, gone = parted(items)
        return await self._in_turn(items, (gone, self._delete), (there, self._insert))

    async def _insert(self, items: Sequence[bytes]) -> Answer | InDoubt:
        reply = await self._ask("POST", f"{self._client.version}/composite/sobjects", items)
        if isinstance(reply, TryAgain):
            return reply if reply.not_sent or reply.slow_down else InDoubt(reply.cause)
        results = self._read(reply, len(items))
        if isinstance(results, TryAgain):
            return InDoubt(results.cause)
        if isinstance(results, RequestRefused):
            return results
        return answers.written(results, adds_only=True, key=self._section.key_field)

    async def fate(self, items: Sequence[bytes]) -> Accepted | TryAgain:
        """The records that are there were added: before, they were not. What is to go goes again."""
        ids = await self._ids_of([self._key_of(item) for item in items])
        if isinstance(ids, TryAgain):
            return ids
        absent = (at for at, item in enumerate(items) if item.startswith(_GONE) or self._folded(item) not in ids)
        return Accepted(again=tuple(Again(place, _NOT_ADDED) for place in absent))

    async def _write(self, items: Sequence[bytes]) -> Answer:
        if self._section.write == "update_only":
            return await self._update(items)
        path = f"{self._client.version}/composite/sobjects/{self._section.object}/{self._section.key_field}"
        results = self._read(await self._ask("PATCH", path, items), len(items))
        return answers.written(results) if isinstance(results, list) else results

    async def _update(self, items: Sequence[bytes]) -> Answer:
        """Changes the records that are there, by their ids."""
        found = await self._found(items)
        if isinstance(found, TryAgain):
            return found
        ids, absent, several = found
        if self._section.by_domain is not None:
            keys = {place: self._key_of(items[place]) for place in ids}
            # Two addresses of one account: the second row would overwrite the first. What is sent again is the first.
            same = [
                place for place, record in ids.items() if self._rows_of.setdefault(record, keys[place]) != keys[place]
            ]
            several = tuple(sorted([*several, *(Refusal(place, _SAME) for place in same)]))
            ids = {place: record for place, record in ids.items() if place not in same}
        if not ids:
            return Accepted(several, left_out(absent, NO_RECORD))
        path = f"{self._client.version}/composite/sobjects"
        records = [lookup.by_id(items[place], self._section.key_column, ids[place]) for place in ids]
        results = self._read(await self._ask("PATCH", path, records), len(records))
        if not isinstance(results, list):
            return results
        answer = _at(answers.written(results), [*ids])
        return replace(
            answer, refusals=tuple(sorted([*answer.refusals, *several])), excluded=left_out(absent, NO_RECORD)
        )

    async def _delete(self, items: Sequence[bytes]) -> Answer:
        found = await self._found(items)
        if isinstance(found, TryAgain):
            return found
        ids, absent, several = found
        if not ids:
            return Accepted(several, left_out(absent, ALREADY_GONE))
        if self._section.gone == "hard_delete":
            results = await self.hard_deleted([*ids.values()])
        else:
            path = f"{self._client.version}/composite/sobjects?ids={','.join(ids.values())}&allOrNone=false"
            results = self._read(await self._client.ask("DELETE", path), len(ids))
        if not isinstance(results, list):
            return results
        answer = answers.deleted(results, dict(enumerate(ids)), absent)
        return replace(answer, refusals=tuple(sorted([*answer.refusals, *several])))

    async def _found(
        self, items: Sequence[bytes]
    ) -> tuple[dict[int, str], tuple[int, ...], tuple[Refusal, ...]] | TryAgain:
        """The record of each item by its place; the places of those without one; those with several, refused."""
        there = await self._ids_of([self._key_of(item) for item in items])
        if isinstance(there, TryAgain):
            return there
        records = [there.get(self._folded(item), []) for item in items]
        ids = {place: found[0] for place, found in enumerate(records) if len(found) == 1}
        absent = tuple(place for place, found in enumerate(records) if not found)
        return ids, absent, tuple(Refusal(place, _SEVERAL) for place, found in enumerate(records) if len(found) > 1)

    async def _ids_of(self, keys: Sequence[str]) -> dict[str, list[str]] | TryAgain:
        return await lookup.ids_of(self._client, self._section, keys, self.name, numbers=self._key_is_number)

    def _key_of(self, item: bytes) -> str:
        record = orjson.loads(item)
        return str(record["gone"] if item.startswith(_GONE) else record[self._section.key_column])

    def _folded(self, item: bytes) -> str:
        return lookup.folded(self._key_of(item), self._section)

    async def _ask(self, method: str, path: str, records: Sequence[bytes]) -> Reply | TryAgain:
        headers = _SAVES if self._section.duplicate_rules == "save" else None
        return await self._client.ask(method, path, body=_body(records), headers=headers)

    def _read(self, reply: Any, records: int) -> list[dict[str, Any]] | RequestRefused | TryAgain:
        if isinstance(reply, TryAgain):
            return reply
        what = f"{self._section.object} by {self._section.key_field}"
        return answers.results_of(reply, records=records, label=self.name, what=what)


_Step = Callable[[Sequence[bytes]], Awaitable[Answer | InDoubt]]
_GONE: Final = REMOVE
_SAVES: Final = {"sforce-duplicate-rule-header": "allowSave=true"}
_PARTS: Final = ("refusals", "excluded", "again")


def _body(records: Sequence[bytes]) -> bytes:
    return b"".join((_OPEN, b",".join(records), _CLOSE))


def _at(answer: Accepted, places: Sequence[int]) -> Accepted:
    """The answer about some items of a request, by their places in the whole of it."""
    return Accepted(
        tuple(each._replace(place=places[each.place]) for each in answer.refusals),
        tuple(each._replace(place=places[each.place]) for each in answer.excluded),
        tuple(each._replace(place=places[each.place]) for each in answer.again),
    )
