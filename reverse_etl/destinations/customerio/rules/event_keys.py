"""Events with one key: equal rows are one event, and rows that differ leave open which one is meant.

What an event's key is made of is in ``customerio.event_keys``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.occurred_at import OCCURRED_AT, occurred_at
from reverse_etl.changeset.parts import ROW_NUMBER, Parts
from reverse_etl.checks._across import Keyed, filled
from reverse_etl.checks._batch import text
from reverse_etl.checks.base import Finding, Rule
from reverse_etl.checks.builtin.duplicates import column_names, content, shared_keys
from reverse_etl.counted import counted
from reverse_etl.destinations.customerio.event_keys import EVENT_ID, event_keys, key_columns

if TYPE_CHECKING:
    import duckdb

    from reverse_etl.destinations.customerio.sections import EventsConfig

REPEATED: Final = "event_repeated"
"""The rule's name."""

_OWN_ID: Final = "give each an event_id of its own"
_OTHER_COLUMNS: Final = "select a column that tells them apart and add it to `event_key`, or select a column event_id"
_A_KEY: Final = "select a column event_id, or name the columns that tell events apart in `events: {event_key: [...]}`"


@dataclass(frozen=True, slots=True)
class SharedKeys:
    """The rows of a changeset whose key is not theirs alone; found once for the two rules about them.

    Attributes:
        config: The sync's ``events``.
        found: By the parts' folder: row numbers of repeats, and of rows that differ.
    """

    config: EventsConfig
    found: dict[Path, tuple[list[pa.Int64Array], list[pa.Int64Array]]] = field(default_factory=dict)

    def of(self, parts: Parts, database: duckdb.DuckDBPyConnection) -> tuple[list[pa.Int64Array], list[pa.Int64Array]]:
        """Rows that repeat an earlier, equal row; and rows whose key another row has with other values."""
        if parts.folder not in self.found:
            self.found[parts.folder] = self._find(parts, database)
        return self.found[parts.folder]

    def _find(
        self, parts: Parts, database: duckdb.DuckDBPyConnection
    ) -> tuple[list[pa.Int64Array], list[pa.Int64Array]]:
        returned = column_names(parts)
        names = [name for name in key_columns(self.config) if name in returned]
        with shared_keys(parts, names, key=self._keyed, contents=self._contents, database=database) as keys:
            return (list(keys.equal_but_first()), list(keys.differing())) if keys else ([], [])

    def _keyed(self, batch: pa.RecordBatch) -> Keyed:
        return filled(batch.column(ROW_NUMBER), event_keys(batch, self.config))

    def _contents(self, batch: pa.RecordBatch) -> pa.StringArray:
        """All that a row holds, with one spelling for a time and for an e-mail address that names the person."""
        index = batch.schema.get_field_index(OCCURRED_AT)
        at = pc.cast(occurred_at(batch.column(index), batch.schema.field(index)), pa.int64())
        batch = batch.set_column(index, OCCURRED_AT, at)
        address = text(batch, self.config.identify_by)
        if self.config.identify_by == "email" and address is not None:
            batch = batch.set_column(batch.schema.get_field_index("email"), "email", pc.utf8_lower(address))
        return content(batch, frozenset())


def repeated_note(parts: Parts, config: EventsConfig | None) -> str:
    """How many events are left out because an earlier row is the same; empty where none is."""
    rows = next((each.rows for each in parts.excluded() if each.rule == REPEATED), 0)
    if not rows or config is None:
        return ""
    repeats = counted(rows, "event is excluded, because it repeats", "events are excluded: each repeats")
    note = f"{repeats} an earlier row, with the same key and the same values ({REPEATED})."
    return f"{note} Where each counts, {_way_out(column_names(parts), config)}."


def _way_out(returned: list[str], config: EventsConfig) -> str:
    """What makes several events of rows with one key: something that the sync does not have yet."""
    if EVENT_ID in returned:
        return _OWN_ID
    return _OTHER_COLUMNS if config.event_key else _A_KEY


@dataclass(frozen=True, slots=True)
class EventRepeated:
    """Of equal events only the first is sent."""

    rule: Rule
    keys: SharedKeys

    def findings_across(self, parts: Parts, database: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
        """Rows that an earlier row is equal to."""
        repeated, _ = self.keys.of(parts, database)
        for rows in repeated:
            yield Finding(rows, "", "an earlier row is the same event, with the same values.")


@dataclass(frozen=True, slots=True)
class EventKeyUnique:
    """No two events with one key differ."""

    rule: Rule
    keys: SharedKeys

    def findings_across(self, parts: Parts, database: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
        """Rows whose key another row has, with other values; the message names how to distinguish them."""
        _, differing = self.keys.of(parts, database)
        returned = column_names(parts)
        column = EVENT_ID if EVENT_ID in returned else ""
        for rows in differing:
            yield Finding(rows, column, f"{self._shared(returned)} in more than one row, with different values.")

    def _shared(self, returned: list[str]) -> str:
        config, way_out = self.keys.config, _way_out(returned, self.keys.config)
        if EVENT_ID in returned:
            return f"the same `{EVENT_ID}`, or the same event where it is empty ({way_out}), is"
        if config.event_key:
            return f"the same {', '.join(f'`{name}`' for name in config.event_key)} ({way_out}) is"
        return f"the same `{config.identify_by}`, event name and `{OCCURRED_AT}` ({way_out}) is"
