"""What became of the rows of one run: outcomes, counts that must add up, and failed rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Final, NamedTuple

from reverse_etl.counted import counted
from reverse_etl.exclusions import ExcludedRows, as_counts
from reverse_etl.warned import Warned


class Status(StrEnum):
    """How a run ended, or that it has not yet."""

    RUNNING = "running"
    COMPLETED = "completed"
    SOME_ROWS_FAILED = "some_rows_failed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELED = "canceled"


FROM_GOOD_TO_BAD: Final = (
    Status.RUNNING,
    Status.COMPLETED,
    Status.SKIPPED,
    Status.CANCELED,
    Status.SOME_ROWS_FAILED,
    Status.FAILED,
)
"""How runs end, the worst last."""


class Outcome(IntEnum):
    """What became of one row. The numbers are stored, one byte a row: never renumber them."""

    UNDELIVERED = 0
    """Not sent, or not acknowledged: the run stopped first."""
    DELIVERED = 1
    REJECTED = 2
    """Broke a check; not sent."""
    REFUSED = 3
    """Sent; the destination refused it."""
    EXCLUDED = 4
    """Left out by the user's own choice."""
    UNCHANGED = 5
    """Not sent: the destination acknowledged the same before."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of ``test-connection``.

    Attributes:
        name: What was tried, a word or two.
        ok: Whether it worked. The first step that did not is the last.
        detail: What was found, or what is wrong; never a secret.
        hint: The next thing to do; empty when there is nothing.
    """

    name: str
    ok: bool
    detail: str
    hint: str = ""


_BESIDE_DELIVERED: Final = ("unchanged", "rejected", "refused", "excluded", "undelivered")


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of one stream by outcome."""

    extracted: int = 0
    delivered: int = 0
    rejected: int = 0
    refused: int = 0
    excluded: int = 0
    undelivered: int = 0
    unchanged: int = 0

    @property
    def failed(self) -> int:
        """Rows that were to be delivered and were not."""
        return self.rejected + self.refused + self.undelivered

    @property
    def balanced(self) -> bool:
        """Whether every extracted row has exactly one outcome."""
        return self.extracted == self.delivered + self.excluded + self.unchanged + self.failed

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def is_gone(stream: str) -> bool:
    """Whether a stream is of keys that are removed (``Stream.gone``), not of rows that a query returned."""
    return stream.startswith("gone_")


def counts_in_words(stream: str, counts: Counts) -> str:
    """The counts of a stream for people, such as ``3 rows read, 2 delivered, 1 rejected``.

    Of keys that were to be removed (``Stream.gone``) nothing was read: ``2 gone rows, 2 applied``.
    """
    gone = is_gone(stream)
    row, read, delivered = stream.removesuffix("s").replace("_", " "), " read", "delivered"
    if gone:
        read, delivered = "", "applied"
    others = ((name, getattr(counts, name)) for name in _BESIDE_DELIVERED)
    parts = [f"{counted(counts.extracted, row)}{read}", f"{counts.delivered:,} {delivered}"]
    return ", ".join(parts + [f"{rows:,} {name}" for name, rows in others if rows])


class Reason(NamedTuple):
    """Why rows were not delivered; the same for all rows with the same fault.

    Attributes:
        reason: One word: the rule's name (``email_valid``), or the destination's own (``invalid``).
        field: The column or attribute at fault; empty where there is no single one.
        message: A sentence for people; never a row's value.
    """

    reason: str
    field: str
    message: str

    @property
    def label(self) -> str:
        """The reason, with its field where it has one: ``too_long (email)``."""
        return f"{self.reason} ({self.field})" if self.field else self.reason


class Cause(NamedTuple):
    """Where rows failed, and why.

    Attributes:
        stage: ``check``, the destination's type, ``delivery`` or ``read_back``.
        why: The reason.
    """

    stage: str
    why: Reason


STOPPED: Final = Cause("delivery", Reason("stopped", "", "the run stopped before this row had an answer."))
"""Of rows that the run ended before."""

CANCELED: Final = Cause("delivery", Reason("canceled", "", "the run was canceled before this row had an answer."))
"""Of rows that the run was canceled before."""

FAILED_ROW_COLUMNS: Final = ("row_number", "query", "identifier", "stage", *Reason._fields, "attempt")
"""The columns of the failed-rows CSV, in order."""


@dataclass(frozen=True, slots=True)
class FailedRow:
    """One row that was not delivered, and why.

    Attributes:
        row_number: From 1, in the order in which the query returned the rows.
        query: The name of the row's stream: ``rows`` or ``relationships``, say.
        identifier: The row's identifier, whole; empty where it is missing.
        stage: ``check``, the destination's type, ``delivery`` or ``read_back``.
        why: The reason.
        attempt: Which attempt at the row's run this was, from 1: re-executions and retries count on.
    """

    row_number: int
    query: str
    identifier: str
    stage: str
    why: Reason
    attempt: int = 1

    @classmethod
    def from_columns(cls, cells: Sequence[Any]) -> FailedRow:
        """The row with these ``FAILED_ROW_COLUMNS``; without the last, it is of the first attempt."""
        row_number, query, identifier, stage, reason, field, message, *attempt = cells
        return cls(row_number, query, identifier, stage, Reason(reason, field, message), *attempt)

    def columns(self) -> dict[str, int | str]:
        """The cell of each of the ``FAILED_ROW_COLUMNS``, in order."""
        cells = self.row_number, self.query, self.identifier, self.stage, *self.why, self.attempt
        return dict(zip(FAILED_ROW_COLUMNS, cells, strict=True))


@dataclass(frozen=True, slots=True)
class Carried:
    """The failed rows that runs of a sync with ``failed_rows: carry`` leave each other.

    Attributes:
        read: Rows that failed in earlier runs and were read again.
        delivered: Those of them that were delivered.
        gone: Identifiers of earlier failed rows under which the query returns no row any more.
        left: Identifiers whose rows the next run reads again.
        unidentified: Failed rows that have no identifier, so that no run can ask for them.
    """

    read: int = 0
    delivered: int = 0
    gone: int = 0
    left: int = 0
    unidentified: int = 0


@dataclass(frozen=True, slots=True)
class PieceOf:
    """Which piece of a reading of everything a run read, from 1, and how many there are."""

    number: int
    of: int


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run as the history, the CLI and Dagster show it.

    Attributes:
        run_id: Dagster's run id; for a re-execution, the new run's.
        started_at: Aware UTC.
        duration_s: Seconds from start to close; 0 while running.
        last_sync_time: Unix seconds that the sync's *next* run will use.
        read_from: What the queries were given for ``{{last_sync_time}}``, Unix seconds: the last sync time or earlier;
            0 where everything was read. None before the rows were read.
        streams: What became of the rows of each of the sync's streams; empty before they were read.
        failed_rows_csv: Path of the CSV; empty when no row failed.
        message: First line for people: what failed and what to do; empty when completed.
        exit_code: What ``reverse-etl run`` ends with.
        reads: What was read, one word (``changeset.scope.Reads``); empty before it was.
        carried: The failed rows of earlier runs; None where the sync carries none.
        excluded_by: Why rows were left out, of all streams, most rows first.
        warnings: What checks found that keep no row back.
        piece: Which piece of everything it read; None where it was not one of several.
        added: Rows that were never acknowledged before, and ``changed``: otherwise; None where nothing was compared.
    """

    sync: str
    run_id: str
    status: Status
    started_at: datetime
    duration_s: float = 0.0
    last_sync_time: int = 0
    streams: Mapping[str, Counts] = field(default_factory=dict)
    failed_rows_csv: str = ""
    message: str = ""
    exit_code: int = 0
    read_from: int | None = None
    reads: str = ""
    carried: Carried | None = None
    excluded_by: tuple[ExcludedRows, ...] = ()
    warnings: tuple[Warned, ...] = ()
    piece: PieceOf | None = None
    added: int | None = None
    changed: int | None = None

    @property
    def rows(self) -> Counts:
        """Those of the sync's first stream."""
        return self.streams.get("rows", Counts())

    @property
    def total(self) -> Counts:
        """Those of all streams."""
        return sum(self.streams.values(), Counts())

    @property
    def gone(self) -> Counts:
        """Those of the streams of keys that were to be removed (``Stream.gone``), of which nothing was read."""
        return sum((counts for stream, counts in self.streams.items() if is_gone(stream)), Counts())

    @property
    def read(self) -> Counts:
        """Those of the streams that queries returned."""
        return sum((counts for stream, counts in self.streams.items() if not is_gone(stream)), Counts())

    def as_json(self) -> dict[str, Any]:
        """The report as the CLI's ``--json`` prints it; times as ISO 8601 in UTC."""
        shown = with_streams(asdict(self)) | {"status": self.status.value}
        shown["started_at"] = self.started_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        shown["duration_s"] = round(self.duration_s, 3)
        shown |= {name: shown[name] or None for name in ("failed_rows_csv", "message", "reads")}
        shown |= {"excluded_by": as_counts(self.excluded_by), "warnings": list(shown["warnings"])}
        return shown


def with_streams(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What a program reads of a run: in place of ``streams`` a key for each of them.

    ``rows`` and ``relationships`` are there in any case, as programs that read them may expect.
    """
    nothing = {name: asdict(Counts()) for name in ("rows", "relationships")}
    merged: dict[str, Any] = {}
    for key, value in shown.items():
        merged |= nothing | value if key == "streams" else {key: value}
    return merged
