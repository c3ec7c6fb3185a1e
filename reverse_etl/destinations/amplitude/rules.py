"""What Amplitude refuses, or drops without a word: rows that would not arrive are rejected before they are sent.

Source: amplitude.com/docs, Batch Event Upload and HTTP V2 API, read 2026-03.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import attribute_columns
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.checks._batch import broken, text
from reverse_etl.checks.base import Finding, Rule, Severity
from reverse_etl.checks.builtin import event_times, identifiers
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations.amplitude.section import EVENT_TYPE

if TYPE_CHECKING:
    from reverse_etl.checks.base import AnyRule
    from reverse_etl.config.streams import Stream
    from reverse_etl.destinations.amplitude.sync import Outgoing

MAX_TEXT: Final = 1_024
"""Characters of any text."""

NO_USERS: Final = (
    "anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "{}", "[]", "[object object]", "true",
    "false", "lmy47d", "0", "-1", "00000000-0000-0000-0000-000000000000",
)  # fmt: skip
"""Ids that Amplitude treats as no user, in lower case."""


def rules_of(sync: Outgoing) -> list[AnyRule]:
    """Those for what a row is."""
    section, stream = sync.amplitude, sync.stream(ROWS)
    found: list[AnyRule] = []
    if section.group_type is None:
        real = Rule("identifier_real", Severity.REJECT, "No id is a word that Amplitude treats as no user.")
        found.append(RealId(real, section.identify_by))
    if section.send == "events":
        found += [
            event_times.TimeValid(_reject("event_time_valid", "Every event's `occurred_at` is a time.")),
            event_times.NotInFuture(_reject("event_in_future", "No event is more than a day in the future.")),
            event_times.NotTooOld(_reject("event_too_old", "No event is from before 2000.")),
        ]
        if section.event_type is None:
            present = _reject("event_type_present", "Every event has an `event_type`.")
            found.append(identifiers.Present(present, EVENT_TYPE, blank=True))
    length = _reject("text_length", f"No text is longer than {MAX_TEXT:,} characters.")
    return [*found, TextLength(length, stream)]


def _reject(name: str, description: str) -> Rule:
    return Rule(name, Severity.REJECT, description)


@dataclass(frozen=True, slots=True)
class RealId:
    """Ids that are a person's."""

    rule: Rule
    column: str

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002 - whenever
        """Rows whose id is such a word."""
        texts = text(batch, self.column)
        if texts is not None:
            nobody = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(NO_USERS))
            message = f"column `{self.column}` holds a word that Amplitude treats as no user."
            yield from broken(batch, nobody, self.column, message)


@dataclass(frozen=True, slots=True)
class TextLength:
    """Texts of any column."""

    rule: Rule
    stream: Stream

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterator[Finding]:  # noqa: ARG002 - whenever
        """Rows with a longer text, one finding a column."""
        names = [name for name in batch.schema.names if name != ROW_NUMBER]
        for name in (*self.stream.key, *attribute_columns(names, self.stream)):
            texts = text(batch, name)
            if texts is not None:
                too_long = pc.greater(pc.utf8_length(texts), MAX_TEXT)
                yield from broken(batch, too_long, name, f"column `{name}` is longer than {MAX_TEXT:,} characters.")
