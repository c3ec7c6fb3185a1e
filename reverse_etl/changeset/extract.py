"""From a database session to numbered Parquet parts: one changeset, sealed when it is complete.

How a query is checked and given its last sync time is ``query``; which columns it must have is ``columns``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from reverse_etl.changeset.again import FailedBefore, RowsAgain, Wanted, left_gone
from reverse_etl.changeset.aside import write_shaped
from reverse_etl.changeset.asked import asked, reads_by_time, reads_only_changes
from reverse_etl.changeset.asked_at import asked_at
from reverse_etl.changeset.carried import CarriedRows, WithCarried
from reverse_etl.changeset.columns import identifiers, require_columns
from reverse_etl.changeset.facts import StreamFacts
from reverse_etl.changeset.from_log import read_log
from reverse_etl.changeset.marks import mark_of
from reverse_etl.changeset.notes import notes_on, numbers_for_times, why_everything
from reverse_etl.changeset.parts import ROW_NUMBER, Facts, RunFolder, with_row_numbers
from reverse_etl.changeset.pieces import Piece
from reverse_etl.changeset.query import NO_END, render
from reverse_etl.changeset.row_keys import MODULUS, key_sum, row_keys
from reverse_etl.changeset.scope import WHAT_CHANGED, Reads, Scope
from reverse_etl.changeset.watermark import Watermark, watermark
from reverse_etl.config.sql_text import reads_changes
from reverse_etl.config.streams import ROWS
from reverse_etl.config.unnamed_columns import unnamed_in_result
from reverse_etl.counted import counted
from reverse_etl.errors import ConfigError, QueryError
from reverse_etl.progress import Progress, emit
from reverse_etl.shaping.columns import RunFacts
from reverse_etl.shaping.shape import ShapedSession, Shaper, visible
from reverse_etl.sources.base import start_of
from reverse_etl.sources.powers import EVERY_ROW

if TYPE_CHECKING:
    from datetime import timedelta

    import pyarrow as pa

    from reverse_etl.changeset.ahead import ShownTo
    from reverse_etl.changeset.pieces import InPieces
    from reverse_etl.config.dialect import Dialect
    from reverse_etl.config.shaping import Shape
    from reverse_etl.config.streams import Stream
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.shaping.transform import Transformers
    from reverse_etl.sources.base import Session


@dataclass(frozen=True, slots=True)
class Before:
    """What is remembered of a sync's last completed run.

    Attributes:
        mark: From when the next run is to read.
        asked: What that run asked for; empty where it is not known.
        place: Which rows it saw, in its engine's own words (``sources.powers``); empty where nothing was written down.
        carried: The failed rows that a run left for the next ones; None for none.
    """

    mark: Watermark = field(default_factory=Watermark)
    asked: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    carried: CarriedRows | None = None

    @property
    def lost(self) -> bool:
        """Whether there are such rows, and it is not known which."""
        return self.carried is not None and not self.carried.path.is_file()


def extract(
    sync: SyncConfig,
    session: Session,
    folder: RunFolder,
    *,
    before: Before,
    dialect: Dialect,
    late: timedelta | None = None,
    scope: Scope = WHAT_CHANGED,
    wanted: Wanted | None = None,
    timezone: str = "UTC",
    generation: int | None = None,
    unshaped: dict[str, list[pa.RecordBatch]] | None = None,
    transformers: Transformers | None = None,
    pieces: InPieces | None = None,
    shown_to: ShownTo | None = None,
) -> Facts:
    """Runs the sync's queries and stores their rows; a changeset that is already sealed is returned as it is.

    The start time is read from the database's clock before the first query, so that a row changed while
    the queries run is seen again by the next run rather than missed. Rows that become visible later than
    their time are what ``watermark`` is about.

    Args:
        sync: What to run.
        session: An open, read-only session of the sync's database.
        folder: Where the rows go; leftovers of an unfinished extraction are removed.
        before: What the last completed run left; nothing, for everything.
        dialect: The session's SQL dialect, for the fixes that error messages suggest.
        late: How late rows may become visible; None: as the server reports.
        scope: What is read.
        wanted: The rows that a scope of named rows means.
        timezone: How an event's time is read where it is text without a zone.
        generation: What counts as acknowledged before they are read; for what comes after.
        unshaped: Takes the rows of streams that are shaped as their queries returned them, by stream: for few rows.
        transformers: Keeps the processes of transforms for further extractions.
        pieces: How everything is read piece by piece; None: in one.
        shown_to: Called with each part that is about to be written as it will be read.

    Raises:
        ConfigError: A column that the sync needs is not in the result.
        QueryError: The database refused a query, or the result has too many rows or columns.
    """
    sealed = folder.facts()
    if sealed is not None:
        return sealed
    for stream in sync.streams:
        shutil.rmtree(folder.parts(stream.name).folder, ignore_errors=True)
    start, here = start_of(session), datetime.now(UTC)
    mark = watermark(start, late, here)
    place = "" if before.lost else before.place
    log = read_log(sync, session, folder, place) if scope.reads.is_whole else None
    seen = mark_of(sync, session, place, dialect) if wanted is None else None
    only_changes = wanted is None and (reads_only_changes(sync) or log is not None)
    everything = why_everything(before, seen, log)
    read_from = 0
    if scope.since is not None:
        read_from = scope.since
    elif only_changes and everything is None:
        by_time = reads_by_time(sync)
        read_from = before.mark.read_from(start, late, here) if by_time else before.mark.last_sync_time
    changed = seen.changed if seen and read_from and scope.since is None else EVERY_ROW
    # A reading of everything has them among its rows.
    carried = before.carried if scope.reads is Reads.CHANGES and read_from else None
    piece = None
    if pieces is not None and not read_from and scope.reads.is_whole:
        begun = Piece(
            number=1,
            cuts=(),
            by=pieces.by,
            reading=folder.path.name,
            started_at=mark.last_sync_time,
            reaches_to=mark.reaches_to,
            clock_ahead_s=mark.clock_ahead_s,
            moves=start.data_at is not None,
            place=seen.place if seen else "",
            asked=asked(sync, dialect),
            reads=scope.reads.value,
            recipient=pieces.recipient,
        )
        text = render(sync.query, 0, changed, NO_END)
        with asked_at(sync, sync.stream(ROWS), text):
            piece = pieces.to_read(session, text, begun, dialect)
    compared = numbers_for_times(sync, session, dialect) if only_changes else ()
    streams = {}
    known = RunFacts(datetime.fromtimestamp(mark.last_sync_time, UTC), folder.path.name, sync.name)
    for stream in sync.streams:
        text = render(stream.query, read_from, changed, NO_END if scope.until is None else scope.until)
        if piece is not None and stream.name == ROWS:
            text = piece.picked(text, dialect)
        again: RowsAgain | WithCarried | None = None
        shape = sync.shape(stream.name)
        shaper = Shaper(shape, stream, sync.where, known, timezone, transformers)
        reading = _shaped(shape, session, shaper, unshaped)
        if wanted is not None:
            # Of people who were named, the further queries need not have any.
            again = RowsAgain(reading, stream, dialect, wanted, scope.reads is not Reads.ONLY or stream.name == ROWS)
        elif log is not None and log.keys is not None:
            again = RowsAgain(reading, stream, dialect, log.keys, gone=log.keys.write_gone)
        read = again.batches() if again else reading.stream(text, limit=scope.limit)
        if carried is not None and (log is not None or reads_changes(stream.query)):
            again = WithCarried(read, RowsAgain(reading, stream, dialect, carried, tells_missing=False), carried)
            read = again.batches()
        keys, aside, parts = _Keys(), None, folder.parts(stream.name)
        # What a transform returns may get further columns later.
        if shown_to is not None and (shape.transform is None or shape.columns is not None):
            keys.show = partial(shown_to, parts, mark.last_sync_time)
        with asked_at(sync, stream, text), closing(shaper), closing(read):
            batches = _usable(sync, stream, read, dialect=dialect)
            batches = (sync.as_read(batch, timezone=timezone) for batch in batches)
            batches = with_row_numbers(batches)
            if isinstance(reading, ShapedSession):
                aside = write_shaped(parts, shaper, batches, through=partial(keys.summed, stream))
                rows = aside.rows
            else:
                rows = parts.write(keys.summed(stream, batches))
        counts = (again.counts() if again else {}) | (aside.counts() if aside else {})
        streams[stream.name] = StreamFacts(rows, keys.total, **counts)
    sync.read_beside(folder, session)
    notes = [*notes_on(sync, before, start, read_from, everything, dialect=dialect), *compared] if only_changes else ()
    from_first = pieces.begin_again(piece, sync.name) if pieces is not None and piece is not None else ""
    facts = Facts(
        sync=sync.name,
        since=before.mark.last_sync_time if scope.from_last_sync_time else 0,
        started_at=mark.last_sync_time,
        streams=streams,
        reads=Reads(piece.reads) if piece is not None else scope.reads,
        retry_of=scope.retry_of,
        attempts_before=wanted.attempt() if isinstance(wanted, FailedBefore) else 0,
        version=sync.version,
        read_from=read_from,
        reaches_to=mark.reaches_to,
        clock_ahead_s=mark.clock_ahead_s,
        moves=start.data_at is not None,
        asked=asked(sync, dialect),
        note=scope.note() or " ".join(filter(None, (from_first, *notes))) or _left_gone(wanted, sync),
        place=seen.place if seen else log.as_place(rows) if log else "",
        generation=generation,
        carried=before.carried.run_id if before.carried else "",
        gone_max=scope.gone_max,
        adds_max=scope.adds_max,
        updates_max=scope.updates_max,
        accept=scope.accept,
        backfill=scope.backfill,
        piece=piece,
    )
    folder.seal(facts)
    return facts


def _shaped(
    shape: Shape, session: Session, shaper: Shaper, unshaped: dict[str, list[pa.RecordBatch]] | None
) -> Session | ShapedSession:
    """The session as the stream is to read it."""
    if not shape:
        return session
    return ShapedSession(session, shaper, None if unshaped is None else unshaped.setdefault(shaper.stream.name, []))


def _left_gone(wanted: Wanted | None, sync: SyncConfig) -> str:
    """What a retry does not read, a sentence; empty where it reads all that failed."""
    return left_gone(wanted.removals(sync.streams)) if isinstance(wanted, FailedBefore) else ""


def _usable(
    sync: SyncConfig, stream: Stream, batches: Iterator[pa.RecordBatch], *, dialect: Dialect
) -> Iterator[pa.RecordBatch]:
    """The batches, once their columns are known to be right, up to the sync's row limit."""
    rows = 0
    emit(Progress("extract", stream.name, rows))
    for number, batch in enumerate(batches):
        if number == 0:
            names = visible(batch.schema.names)
            _require_sane_columns(sync, stream, names)
            require_columns(names, sync, stream, dialect=dialect)
            unnamed = unnamed_in_result(names, stream.query, dialect)
            if unnamed:
                raise ConfigError(f"the {stream.label}: {unnamed}.").located(sync.where)
        rows += batch.num_rows
        if rows > sync.max_rows:
            raise QueryError(
                f"the {stream.label} returned more than {counted(sync.max_rows, 'row')}; nothing was sent.",
                hint="Narrow the query, or raise max_rows in the sync's file.",
            )
        yield batch
        emit(Progress("extract", stream.name, rows))


@dataclass(slots=True)
class _Keys:
    """The sum of the keys of the rows that pass; they are shown to ``show``, with the number of their part."""

    total: int = 0
    show: Callable[[int, pa.RecordBatch], None] = lambda *_: None

    def summed(self, stream: Stream, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches as they are."""
        for number, batch in enumerate(batches):
            self.show(number, batch)
            summed = key_sum(row_keys(batch.column(ROW_NUMBER), identifiers(batch, stream), stream.name))
            self.total = (self.total + summed) % MODULUS
            yield batch


def _require_sane_columns(sync: SyncConfig, stream: Stream, names: list[str]) -> None:
    if len(names) > sync.MAX_COLUMNS:
        raise QueryError(
            f"the {stream.label} returned {len(names)} columns; {sync.TITLE} takes at most "
            f"{sync.MAX_COLUMNS} attributes.",
            hint="Select only the columns that are needed.",
        )
    if ROW_NUMBER in names:
        raise ConfigError(f"the {stream.label} has a column named {ROW_NUMBER}.", hint="Give it another name with AS.")
