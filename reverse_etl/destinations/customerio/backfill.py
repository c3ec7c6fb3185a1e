"""Old events: how many there are to confirm, whose, and how many of them can trigger a campaign.

Which events are old is what ``max_age`` says; Customer.io itself only distinguishes those of the last 72 hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.occurred_at import OCCURRED_AT, occurred_at
from reverse_etl.changeset.parts import numbers_where
from reverse_etl.changeset.text import as_text
from reverse_etl.config.intervals import format_interval
from reverse_etl.counted import counted
from reverse_etl.destinations.base import KeptBack
from reverse_etl.destinations.customerio.sections import CAN_TRIGGER
from reverse_etl.destinations.request_powers import Backfill
from reverse_etl.files.scratch import scratch_in
from reverse_etl.report import Outcome, Reason

if TYPE_CHECKING:
    from pathlib import Path

    from reverse_etl.changeset.parts import Parts
    from reverse_etl.destinations.customerio.sections import EventsConfig
    from reverse_etl.destinations.customerio.sync import Outgoing

MAX_AGE: Final = "event_max_age"
"""The name of the rule that leaves old events out."""

_TOO_OLD: Final = Reason(MAX_AGE, OCCURRED_AT, "it became older than the sync's max_age before it was sent.")
_HOURS: Final = f"{CAN_TRIGGER.total_seconds() / 3600:.0f} hours"
_SCHEMA: Final = pa.schema([("person", pa.string()), ("happened_at", pa.int64())])
_COUNTS: Final = """
    SELECT count(*), count(DISTINCT person), count(*) FILTER (WHERE happened_at < $old),
           count(*) FILTER (WHERE happened_at >= $recent),
           count(*) FILTER (WHERE happened_at < $old AND happened_at >= $recent),
           min(happened_at) // 1000000, max(happened_at) // 1000000
    FROM events
"""


def old_rows(rows: Iterator[pa.RecordBatch], sync: Outgoing, *, started_at: int, scratch: Path) -> Backfill:
    """Counts events that passed the checks, as ``Backfills`` says; a sync of other rows has none."""
    events = sync.events
    if events is None or events.oldest is None:
        return Backfill()
    reader = pa.RecordBatchReader.from_batches(_SCHEMA, (_event(batch, events) for batch in rows))
    old = (started_at - int(events.oldest.total_seconds())) * 1_000_000
    recent = (started_at - int(CAN_TRIGGER.total_seconds())) * 1_000_000
    with scratch_in(scratch) as database:
        database.register("events", reader)
        counts: Any = database.execute(_COUNTS, {"old": old, "recent": recent}).fetchone()
    found = Backfill(*counts)
    return replace(found, sentence=_sentence(sync.name, events, found))


def too_old(batch: pa.RecordBatch, events: EventsConfig | None, now: float) -> KeptBack | None:
    """The events of a batch that are too old to be sent without a confirmation, at a time in Unix seconds."""
    if events is None or events.oldest is None:
        return None
    at = _event(batch, events).column("happened_at")
    rows = numbers_where(batch, pc.less(at, int((now - events.oldest.total_seconds()) * 1_000_000)))
    return KeptBack(rows, Outcome.EXCLUDED, _TOO_OLD) if len(rows) else None


def left_out_note(parts: Parts, events: EventsConfig | None, sync: str) -> str:
    """How many events were left out because nobody has confirmed them; empty where none was."""
    rows = next((each.rows for each in parts.excluded() if each.rule == MAX_AGE), 0)
    if not rows or events is None or not events.backfill:
        return ""
    were = counted(rows, "event was", "events were")
    return (
        f"{were} left out, older than {_oldest(events)}: old events are sent when a person has confirmed them. "
        f"`reverse-etl run {sync} --full` asks for that in a terminal; elsewhere, add --yes."
    )


def _event(batch: pa.RecordBatch, events: EventsConfig) -> pa.RecordBatch:
    fields = [batch.schema.get_field_index(name) for name in (events.identify_by, OCCURRED_AT)]
    person, at = (batch.column(index) for index in fields)
    person = as_text(person, batch.schema.field(fields[0]))
    if events.identify_by == "email":
        person = pc.utf8_lower(person)
    at = pc.cast(occurred_at(at, batch.schema.field(fields[1])), pa.int64())
    return pa.RecordBatch.from_arrays([person, at], schema=_SCHEMA)


def _sentence(sync: str, events: EventsConfig, found: Backfill) -> str:
    if found.first_at is None or found.last_at is None:
        return f"{sync} would send no event."
    old_ones = "1 is" if found.old == 1 else f"{found.old:,} are"
    sentence = (
        f"{sync} would send {counted(found.rows, 'event')} of {counted(found.people, 'person', 'people')}, "
        f"from {_clock(found.first_at)} to {_clock(found.last_at)}. "
        f"{old_ones} older than {_oldest(events)} and keep the time at which they happened. "
    )
    if not found.can_trigger:
        return f"{sentence}None happened within the last {_HOURS}, so none can trigger a campaign."
    sentence += f"{found.can_trigger:,} happened within the last {_HOURS} and can trigger campaigns"
    if not found.old_can_trigger:
        return f"{sentence}, none of the old ones among them."
    return f"{sentence}, {found.old_can_trigger:,} of the old ones among them."


def _oldest(events: EventsConfig) -> str:
    return f"`max_age: {format_interval(events.max_age)}`" if events.max_age is not None else _HOURS


def _clock(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
