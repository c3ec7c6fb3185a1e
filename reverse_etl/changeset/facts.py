"""What one extraction knew, and leaves for the stages after it and for the next run. Stored by ``parts``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from reverse_etl.changeset.pieces import Piece
from reverse_etl.changeset.scope import Reads

_BEFORE_STREAMS: Final = ("rows", "relationships")
"""The two streams that folders of earlier releases may have, in keys of their own."""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What the extraction of one stream knew.

    Attributes:
        rows: Rows that its query returned.
        keys: Sum of the keys of the rows (``changeset.row_keys``); None where it was not taken.
        not_found: Of a retry: this many rows at the end have nothing but the identifier that is no longer found.
        carried: This many rows at the end failed in an earlier run, and were read for that reason.
        gone: Identifiers of rows that failed in an earlier run and are not found any more.
        unshaped: Rows that could not be shaped: whose they are may not be known.
        left_out: Rows that shaping leaves out.
    """

    rows: int
    keys: int | None = None
    not_found: int = 0
    carried: int = 0
    gone: int = 0
    unshaped: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What one extraction knew.

    Attributes:
        sync: The sync's name.
        since: The last sync time when the query was run, Unix seconds.
        started_at: The run's start by the database's clock, Unix seconds; the next last sync time. On a replica that
            lags, the time up to which its data is complete.
        streams: What was read of each of the sync's streams, by name and in order.
        reads: What was read of what the queries return.
        retry_of: The run whose failed rows alone were read; empty for any other.
        attempts_before: Attempts at these rows before the run that read them.
        version: The sync's version when they were read; empty where that is not known.
        read_from: What the query was given for ``{{last_sync_time}}``, Unix seconds: the last sync time or earlier;
            0 where everything was read. None where it was not written down: then it was ``since``.
        reaches_to: From when the next run is to read again, Unix seconds; None where that was not written down.
        clock_ahead_s: How far the database's clock was ahead of the reading machine's; None likewise.
        moves: Whether last sync time may move to ``started_at``.
        asked: What the sync asked for (``changeset.asked``); empty where that was not written down.
        place: Which rows the database had, in its engine's own words (``sources.powers``), for the next run; empty
            where no query asks for it.
        carried: The run that left the failed rows that were remembered when it was read; empty for none.
        note: What is worth saying of the reading, in sentences; empty when nothing is.
        gone_max: How much of what is gone the run may remove, instead of what the sync allows; empty for that.
        adds_max: How many rows it may add to a table, alike.
        updates_max: How many rows of a table it may change, alike.
        accept: Checks that the run lets pass once, with commas between; empty for none.
        backfill: Whether rows are sent that a run leaves out until a person has confirmed them: old events.
        piece: Which piece of a reading of everything was read; None where it was read in one.
        generation: What counted as acknowledged before the rows were read; None for a sync that does not compare.
    """

    sync: str
    since: int
    started_at: int
    streams: dict[str, StreamFacts]
    reads: Reads = Reads.CHANGES
    retry_of: str = ""
    attempts_before: int = 0
    version: str = ""
    read_from: int | None = None
    reaches_to: int | None = None
    clock_ahead_s: float | None = None
    moves: bool = True
    asked: dict[str, str] = field(default_factory=dict)
    note: str = ""
    place: str = ""
    generation: int | None = None
    carried: str = ""
    gone_max: str = ""
    adds_max: str = ""
    updates_max: str = ""
    accept: str = ""
    backfill: bool = False
    piece: Piece | None = None

    @property
    def accepted(self) -> frozenset[str]:
        """The names of the checks that the run lets pass."""
        return frozenset(filter(None, self.accept.split(",")))

    @property
    def next_last_sync_time(self) -> int | None:
        """Where a completed run moves last sync time to; None where it stays."""
        if self.piece is not None:
            return self.piece.started_at if self.piece.is_last and self.piece.moves else None
        return self.started_at if self.moves and self.is_whole else None

    @property
    def is_whole(self) -> bool:
        """Whether no row that the queries return was left out: only then last sync time moves, or a person is gone."""
        return self.reads.is_whole and self.piece is None

    @property
    def completes(self) -> bool:
        """Whether every row that the queries return was read, with what runs of earlier pieces read."""
        return self.is_whole or (self.piece is not None and self.piece.is_last)

    @property
    def has_all_rows(self) -> bool:
        """Whether these are all rows that the queries return, so that what none of them has is gone."""
        return self.is_whole and self.read_from == 0 and not any(each.unshaped for each in self.streams.values())

    @property
    def total(self) -> int:
        """Rows of all streams."""
        return sum(each.rows for each in self.streams.values())

    def as_stored(self) -> dict[str, Any]:
        """As ``from_stored`` reads it."""
        return asdict(self)

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self:
        """What ``as_stored`` gave, here or in an earlier release."""
        known = dict(stored)
        if piece := known.pop("piece", None):
            known["piece"] = Piece.from_stored(piece)
        known["reads"] = Reads(known.get("reads") or (Reads.RETRY if known.get("retry_of") else Reads.CHANGES))
        if "streams" in known:
            streams = {name: StreamFacts(**each) for name, each in known.pop("streams").items()}
        else:
            rows, keys, not_found = (
                {name: known.pop(f"{name}{suffix}", None) for name in _BEFORE_STREAMS}
                for suffix in ("", "_keys", "_not_found")
            )
            streams = {name: StreamFacts(rows[name] or 0, keys[name], not_found[name] or 0) for name in _BEFORE_STREAMS}
        return cls(streams=streams, **known)
