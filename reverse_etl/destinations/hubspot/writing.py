"""One request of rows on its way into HubSpot: records found, written, archived; then listed and associated.

A row is delivered when all of it is done, so that nothing is left to do for rows of a run that ended early. Every call
here may be repeated: an upsert and an update by id change nothing the second time, what is archived is gone, a member
stays one. What may not be is in ``adding``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

from reverse_etl.destinations.base import Accepted, Again, Answer, Refusal, RequestRefused, TryAgain
from reverse_etl.destinations.hubspot.batches import MOST_SENDS, Input, Written, folded, written
from reverse_etl.destinations.hubspot.finding import find
from reverse_etl.destinations.hubspot.section import EMAIL, RECORD_ID
from reverse_etl.destinations.left_out import NO_RECORD, LeftOut
from reverse_etl.report import Reason

if TYPE_CHECKING:
    from reverse_etl.destinations.hubspot.after import Afterwards
    from reverse_etl.destinations.hubspot.client import Client
    from reverse_etl.destinations.hubspot.section import HubSpot

_RACE: Final = 2
_SAME_RECORD: Final = Reason("same_record", "", "another row of the request is about the same record.")


@dataclass(slots=True)
class Settled:
    """What became of a request's rows so far, by place; those in none of these are delivered.

    Attributes:
        ids: Of the records of rows that were written.
        again: What is sent again, and how often at most.
    """

    ids: dict[int, str] = field(default_factory=dict)
    refused: dict[int, Reason] = field(default_factory=dict)
    excluded: dict[int, Reason] = field(default_factory=dict)
    again: dict[int, tuple[Reason, int]] = field(default_factory=dict)

    def add(self, answer: Written, *, excludes_missing: bool) -> None:
        """Enters what a batch's answer says. A conflict is a race with another call, which is over the next time."""
        self.ids |= answer.ids
        self.refused |= answer.refused
        self.again |= {place: (why, MOST_SENDS) for place, why in answer.again.items()}
        self.again |= {place: (why, _RACE) for place, why in answer.conflicts.items()}
        if excludes_missing:
            self.excluded |= dict.fromkeys(answer.missing, NO_RECORD)
        else:
            self.again |= {place: (why, _RACE) for place, why in answer.missing.items()}

    def as_answer(self) -> Accepted:
        """As ``delivery`` takes it."""
        return Accepted(
            tuple(Refusal(place, self.refused[place]) for place in sorted(self.refused)),
            tuple(LeftOut(place, self.excluded[place]) for place in sorted(self.excluded)),
            tuple(Again(place, why, most=most) for place, (why, most) in sorted(self.again.items())),
        )


@dataclass(frozen=True, slots=True)
class Request:
    """The rows of a request, by place.

    Attributes:
        inputs: Those that are there.
        gone: The keys of those that are not.
        others: What identifies the record that a row is associated with.
    """

    inputs: list[Input]
    gone: dict[int, str]
    others: dict[int, str]

    @classmethod
    def of(cls, items: Sequence[bytes], by: str | None) -> Request:
        """Reads items; ``by`` is the property of their keys, None for record ids."""
        rows = dict(enumerate(map(orjson.loads, items)))
        gone = {place: row["id"] for place, row in rows.items() if row.get("archive")}
        there = {place: row for place, row in rows.items() if place not in gone}
        inputs = [Input(place, row["id"], by, row["properties"]) for place, row in there.items()]
        return cls(inputs, gone, {place: row["associate"] for place, row in there.items() if "associate" in row})


class Writer:
    """Writes the records of one sync.

    Attributes:
        warned: Records that were written with a warning of HubSpot's.
    """

    def __init__(self, client: Client, section: HubSpot, afterwards: Sequence[Afterwards]) -> None:
        self._client = client
        self._section = section
        self._afterwards = afterwards
        self._path = f"/crm/v3/objects/{section.object}/batch"
        self._by = None if section.identify_by == RECORD_ID else section.identify_by
        self.warned = 0

    async def write(self, items: Sequence[bytes]) -> Answer:
        """Sends one request's items. Raises DestinationError."""
        request = Request.of(items, self._by)
        settled = Settled()
        trouble = await self.archive(request.gone) if request.gone else None
        if trouble is None and request.inputs:
            trouble = await self._write(request.inputs, settled)
        if trouble is None:
            trouble = await self.finish(request.others, settled)
        return settled.as_answer() if trouble is None else trouble

    async def _write(self, inputs: list[Input], settled: Settled) -> RequestRefused | TryAgain | None:
        section = self._section
        if self._by is None:
            return await self.batch("update", inputs, settled, excludes_missing=True)
        if section.write == "add_and_update" and self._by != EMAIL:
            return await self.batch("upsert", inputs, settled)
        # HubSpot's upsert by e-mail address may clear what it is not sent: such records are found, and updated by id.
        found = await self.find([each.key for each in inputs])
        if not isinstance(found, dict):
            return found
        known = {each.place: found[key] for each in inputs if (key := folded(each.key, self._by)) in found}
        new = [each for each in inputs if each.place not in known]
        if known:
            updates = self._updates(inputs, known, settled)
            trouble = await self.batch("update", updates, settled, excludes_missing=section.write == "update_only")
            if trouble is not None:
                return trouble
        if section.write == "update_only":
            settled.excluded |= {each.place: NO_RECORD for each in new}
            return None
        return await self.batch("create", new, settled) if new else None

    def _updates(self, inputs: Sequence[Input], known: Mapping[int, str], settled: Settled) -> list[Input]:
        """The inputs that change records by id, each once: a contact has several addresses."""
        found: dict[str, Input] = {}
        for each in inputs:
            if each.place not in known:
                continue
            properties = {name: text for name, text in each.properties.items() if name != self._by}
            record = known[each.place]
            if record in found:
                settled.again[each.place] = _SAME_RECORD, MOST_SENDS
            else:
                found[record] = Input(each.place, record, None, properties)
        return list(found.values())

    async def batch(
        self, verb: str, inputs: list[Input], settled: Settled, *, excludes_missing: bool = False
    ) -> RequestRefused | TryAgain | None:
        """Sends one batch, and enters what became of its inputs.

        Args:
            verb: What it does: ``create``, ``update`` or ``upsert``.
            inputs: At least one.
            settled: What became of the rows.
            excludes_missing: Whether inputs of which there is no record are left out by choice.
        """
        body = {"inputs": [each.as_json(creates=verb == "create") for each in inputs]}
        reply = await self._client.call("POST", f"{self._path}/{verb}", body)
        if isinstance(reply, TryAgain):
            return reply
        answer = written(reply, inputs)
        if answer is None:
            raise self._client.unusable(reply)
        if not isinstance(answer, Written):
            return answer
        settled.add(answer, excludes_missing=excludes_missing)
        self.warned += answer.warned
        return None

    async def archive(self, keys: Mapping[int, str]) -> RequestRefused | TryAgain | None:
        """Archives the records with these keys; what is not there is gone already."""
        ids = list(dict.fromkeys(keys.values()))
        if self._by is not None:
            found = await self.find(ids)
            if not isinstance(found, dict):
                return found
            ids = list(dict.fromkeys(found.values()))
        if not ids:
            return None
        reply = await self._client.call("POST", f"{self._path}/archive", {"inputs": [{"id": each} for each in ids]})
        if isinstance(reply, TryAgain):
            return reply
        if reply.status in (400, 409, 413):
            return RequestRefused(Reason("not_archived", "", "HubSpot does not archive the record."))
        if reply.status >= 300:
            raise self._client.unusable(reply)
        return None

    async def finish(self, others: Mapping[int, str], settled: Settled) -> RequestRefused | TryAgain | None:
        """What is done with records that were written; those for which it fails are not delivered.

        Args:
            others: What identifies the record that each is associated with, by place.
            settled: What became of the rows; what fails is entered.
        """
        for each in self._afterwards:
            ids = {place: id_ for place, id_ in settled.ids.items() if place not in settled.refused}
            failed = await each.do(ids, {place: others[place] for place in ids if place in others}) if ids else {}
            if not isinstance(failed, dict):
                return failed
            for place, (why, most) in failed.items():
                if most is None:
                    settled.refused[place] = why
                else:
                    settled.again[place] = why, most
        return None

    async def find(self, keys: Sequence[str]) -> dict[str, str] | RequestRefused | TryAgain:
        """The ids of records, by their folded keys, of up to 100."""
        return await find(self._client, self._section.object, self._by or RECORD_ID, keys)
