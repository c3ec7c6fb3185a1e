"""The streams of one run compared with what was acknowledged, one after the other.

What comes before and after, for the run as a whole, is in ``run.changes``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from reverse_etl.changes.attributes import plan_clearing, with_attributes_of, write_changed, write_sent
from reverse_etl.changes.backwards import in_words, went_back
from reverse_etl.changes.compare import as_checked, count_deleted, enter_plan, write_plan
from reverse_etl.changes.gone import GoneKeys, count_known, gone_in_log, gone_in_plan, remembers_names
from reverse_etl.changes.keyed import write_fingerprints
from reverse_etl.changes.returned import write_returned
from reverse_etl.changes.undo import take_undo
from reverse_etl.changeset.scope import Reads
from reverse_etl.config.streams import ROWS
from reverse_etl.run.acknowledged import generations_of, keyed, kind_of, remembered_streams
from reverse_etl.run.gone import look_for_gone, note_gone_in_log, too_many
from reverse_etl.run.overtaken import overtaken

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from reverse_etl.changes.ahead import FingerprintedAhead
    from reverse_etl.changes.attributes import StreamValues
    from reverse_etl.changes.compared import Compared
    from reverse_etl.changes.generation import Made
    from reverse_etl.changes.keyed import Keyed
    from reverse_etl.changeset.parts import Facts, Outcomes, Parts
    from reverse_etl.config.gone import Gone
    from reverse_etl.config.streams import Stream
    from reverse_etl.destinations.powers import AsSent
    from reverse_etl.run.record import SyncRun

_NO_VALUES: Final = "The values that were acknowledged are not known yet, so rows that changed are sent whole."


@dataclass(slots=True)
class Comparison:
    """A comparison in progress.

    Attributes:
        run: The run.
        facts: What its extraction knew.
        made: What the generation is of that rows are compared with; None where none can be used.
        secret: Of the fingerprints.
        found: What is found, stream by stream.
        database: For a while.
        ahead: What was made while the rows were read; None for nothing.
        notes: Sentences about it; any may be empty.
        names: Whether keys are remembered by name from now on, of which only fingerprints were known.
    """

    run: SyncRun
    facts: Facts
    made: Made | None
    secret: bytes
    found: Compared
    database: duckdb.DuckDBPyConnection
    ahead: FingerprintedAhead | None = None
    notes: list[str] = field(default_factory=list)
    names: bool = False

    def __post_init__(self) -> None:
        self.notes.append(self.found.note)

    def compare(self, stream: Stream) -> None:
        """Compares a stream's rows, and marks those that are not to be sent.

        Raises:
            StateError: Files cannot be read or written; or values that are to be taken back are not known any more.
        """
        sync, name, found = self.run.sync, stream.name, self.found
        gone = sync.gone(name)
        parts, outcomes = self.run.folder.parts(name), as_checked(self.run.folder.outcomes(name))
        as_sent, with_secret = self._as_sent(name), keyed(sync, name, self.secret)
        before = self._before(name)
        write_fingerprints(parts, outcomes, as_sent, with_secret, self._made_of(with_secret))
        note_gone_in_log(self.run, self.facts, stream, as_sent, with_secret)
        all_rows, among = found.everything or name in found.reshaped, gone_in_log(parts)
        again = None if all_rows or before is None else self._returned(parts, as_sent)
        write_plan(
            *(parts, before, self.database),
            all_rows=all_rows,
            gone=gone,
            among=among,
            again=again,
            certain=found.certain,
        )
        attributes = self._compare_values(parts, outcomes, with_secret)
        found.streams[name] = enter_plan(parts, outcomes, attributes)
        parts.write_outcomes(outcomes)
        if gone is not None and before is not None:
            self._look_for_gone(stream, gone, before, among)

    def _as_sent(self, stream: str) -> Callable[[pa.RecordBatch], AsSent]:
        return partial(kind_of(self.run.sync).as_sent, sync=self.run.sync, stream=stream)

    def _made_of(self, with_secret: Keyed) -> Callable[[Path], pa.RecordBatch | None]:
        """What was made of a part while further ones were read."""
        return lambda path: self.ahead.taken(path, with_secret) if self.ahead is not None else None

    def _before(self, stream: str) -> Path | None:
        """What was acknowledged of a stream."""
        if self.made is None or stream not in self.made.rows:
            return None
        return generations_of(self.run).stream(self.found.generation, stream)

    def _returned(self, parts: Parts, as_sent: Callable[[pa.RecordBatch], AsSent]) -> Path | None:
        """The rows of a further stream that belong to one which was removed before, and is back; None for none."""
        sync, owners = self.run.sync, self._before(ROWS)
        if parts.stream == ROWS or owners is None or sync.gone(ROWS) is None:
            return None
        with_secret = keyed(sync, ROWS, self.secret)
        return write_returned(parts, self.run.folder.parts(ROWS), owners, as_sent, with_secret, self.database)

    def _compare_values(self, parts: Parts, outcomes: Outcomes, with_secret: Keyed) -> dict[str, int]:
        """Compares attributes where values are remembered; gives how many rows differ in each, by its name."""
        remembered = remembered_streams(self.run.sync).get(parts.stream)
        if remembered is None:
            return {}
        made, database, as_sent = self.made, self.database, self._as_sent(parts.stream)
        files = generations_of(self.run).needed_values(made, parts.stream) if made else []
        known = _known(remembered, made, parts.stream, has_values=bool(files))
        undone = self.facts.reads is Reads.UNDO
        if undone and not files:
            raise overtaken(self.run)
        values = replace(known, narrow=True) if undone else with_attributes_of(parts, as_sent, files, known, database)
        plan_clearing(parts, files, database, values)
        write_sent(parts, outcomes, as_sent, with_secret, values)
        self.found.values[parts.stream] = values
        if made is not None and values.narrow and not files:
            self.notes.append(_NO_VALUES)
        if undone:
            return take_undo(parts, values, database)
        if back := went_back(parts, files, values, database):
            self.found.went_back[parts.stream] = {name: rows for name, (rows, _) in back.items()}
            self.notes.append(in_words(back, parts.stream))
        return write_changed(parts, files, database, values)

    def _look_for_gone(self, stream: Stream, gone: Gone, before: Path, among: Path | None) -> None:
        """Finds who is gone, and whether more are than may be at once."""
        found, name, parts = self.found, stream.name, self.run.folder.parts(stream.name)
        # Rows that say of themselves that they are gone do so in a reading of what changed, too.
        deleted = count_deleted(parts, self.database)
        found.streams[name] = replace(found.streams[name], deleted=deleted)
        keys = GoneKeys(known=count_known(before, self.database))
        if self.facts.reads is Reads.UNDO:
            keys = gone_in_plan(parts, before, self.database) or keys
            if keys.removed:
                found.gone[name] = keys
        elif self.facts.has_all_rows or among is not None:
            looked = look_for_gone(self.run, self.facts, stream, before, self.database, among)
            self.notes.append(looked.note)
            if looked.keys is not None:
                keys = found.gone[name] = looked.keys
            self.names |= not remembers_names(before)
        if why := too_many(self.run.sync, stream, gone, self.facts, keys, deleted):
            found.too_many[name] = why


def _known(remembered: StreamValues, made: Made | None, stream: str, *, has_values: bool) -> StreamValues:
    """What is known of a stream's values."""
    names = made.attributes[stream] if made and has_values else ()
    left = tuple(made.left.get(stream, ())) if made else ()
    return replace(remembered, names=tuple(names), known=has_values, left=left)
