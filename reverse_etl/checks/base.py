"""What a check is: a rule with a name, a severity and findings; and what became of it in one run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from reverse_etl.report import Counts
from reverse_etl.warned import Warned

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from reverse_etl.changeset.parts import Parts

SAMPLE_ROWS = 10
"""How many row numbers a result keeps as a sample."""


class Severity(StrEnum):
    """What a finding does.

    ``exclude`` is not for a sync's own checks: it is what a setting such as ``duplicates: keep_last`` asks for.
    """

    WARN = "warn"
    """Tells."""
    EXCLUDE = "exclude"
    """Leaves the row out, which is no failure."""
    REJECT = "reject"
    """Keeps the row back, as a failed row."""
    STOP = "stop"
    """The same, and stops the run before anything is sent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows that break a rule in one way.

    Attributes:
        rows: int64 row numbers, ascending, without nulls, at least one.
        field: The column at fault; empty where there is no single one.
        message: A sentence for people, the same for all these rows; never a value.
    """

    rows: pa.Int64Array
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class ColumnFinding:
    """A column that breaks a rule as a whole, such as by its name. No row is kept back for it.

    Attributes:
        field: The column at fault.
        message: A sentence for people; never a value. The same column and message may be found in every batch.
    """

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What every rule has.

    Attributes:
        name: Unique within one stream of a sync, snake_case: ``email_valid``, ``not_null_plan``.
        severity: What its findings do.
        description: One sentence for people: the rule in words.
        columns: Columns that the result must have, or the check is a mistake in the sync's file.
        of_the_whole: Whether it judges a share or number of all rows, which holds for no part of them.
        of_pieces: Whether it judges a piece of all rows nevertheless: a share of many rows.
        until_confirmed: Whether it judges nothing in a run whose rows a person has confirmed (``Facts.backfill``).
    """

    name: str
    severity: Severity
    description: str
    columns: tuple[str, ...] = ()
    of_the_whole: bool = False
    of_pieces: bool = False
    until_confirmed: bool = False


@runtime_checkable
class BatchRule(Protocol):
    """A rule that looks at one row at a time, and so at one batch at a time, vectorised."""

    @property
    def rule(self) -> Rule:
        """Its name and severity."""
        ...

    def findings(self, batch: pa.RecordBatch, started_at: int) -> Iterable[Finding | ColumnFinding]:
        """What breaks the rule in this batch.

        Args:
            batch: Rows in canonical types, with ``ROW_NUMBER`` last; may be empty.
            started_at: The run's start by the database's clock, Unix seconds: the only present that rules know.
        """
        ...


@runtime_checkable
class ChangesetRule(Protocol):
    """A rule that looks across rows, in bounded memory, over the Parquet parts."""

    @property
    def rule(self) -> Rule:
        """Its name and severity."""
        ...

    def findings_across(self, parts: Parts, database: duckdb.DuckDBPyConnection) -> Iterator[Finding | ColumnFinding]:
        """What breaks the rule in the whole changeset; ``database`` is empty and has its memory limited."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """The rows of one stream once each is marked, as gates look at them.

    Attributes:
        counts: Of the rows that were found; valid ones are ``undelivered``.
        parts: Where the rows lie.
        rows: The highest row number that was found; rows after it have nothing but an identifier.
        started_at: The run's start by the database's clock, Unix seconds.
    """

    counts: Counts
    parts: Parts | None = None
    rows: int = 0
    started_at: int = 0

    def batches(self, *columns: str) -> Iterator[pa.RecordBatch]:
        """The rows that were found, a part at a time, each batch with ``ROW_NUMBER`` last."""
        for batch in self.parts.batches(columns) if self.parts is not None else ():
            numbers = batch.column(batch.num_columns - 1).to_numpy()
            found = int(numbers.searchsorted(self.rows, side="right"))
            yield batch if found == len(numbers) else batch.slice(0, found)


@dataclass(frozen=True, slots=True)
class Measured:
    """The number that a gate looked at, and what it found.

    Attributes:
        value: In the gate's unit: rows, a share from 0 to 1, seconds. None where there is nothing to measure.
        exceeded: A sentence on how far the gate is exceeded; empty when it is not.
        note: What is worth saying of a gate that is not exceeded, a sentence; empty when nothing is.
    """

    value: float | None
    exceeded: str = ""
    note: str = ""


@runtime_checkable
class Gate(Protocol):
    """A rule on one number of a whole changeset, applied when every row is marked."""

    @property
    def rule(self) -> Rule:
        """Its name and severity: ``warn`` or ``stop``."""
        ...

    def measure(self, whole: Whole, past: Sequence[float]) -> Measured:
        """The number of this changeset, and whether it is beyond what the gate allows.

        Args:
            whole: The changeset.
            past: The same number of completed runs that read the same way, the newest first; may be empty.
        """
        ...


AnyRule = BatchRule | ChangesetRule | Gate


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One rule's result in one run; becomes a line of an asset check's table.

    Attributes:
        rule: The rule.
        stream: The name of the stream.
        rows_checked: Rows of the stream.
        rows_failed: Rows with a finding, each counted once; of a gate, the rows it counts, when it is exceeded.
        rows_excluded: Rows that a rule of severity ``exclude`` leaves out; they are no failure.
        sample_rows: The first ``SAMPLE_ROWS`` row numbers with a finding, ascending.
        fields: The columns at fault, in the order in which they were found.
        message: The first finding's message; empty where there is none.
        judged: Whether it was applied; in a retry, rules ``of_the_whole`` are not, in a backfill those
            ``until_confirmed``.
        value: The number that a gate looked at; None for other rules, and where there was none.
        accepted: Whether the run was asked to let it pass, although it is broken.
        note: What is worth saying of a rule that is not broken; empty when nothing is.
    """

    rule: Rule
    stream: str
    rows_checked: int
    rows_failed: int
    rows_excluded: int = 0
    sample_rows: tuple[int, ...] = ()
    fields: tuple[str, ...] = ()
    message: str = ""
    judged: bool = True
    value: float | None = None
    accepted: bool = False
    note: str = ""

    @property
    def warned(self) -> Warned | None:
        """What is shown of a check that found something and keeps no row back; None of any other."""
        if self.rule.severity is not Severity.WARN or self.outcome != "broken":
            return None
        columns = f" Columns: {', '.join(self.fields)}." if len(self.fields) > 1 else ""
        first = f" First rows: {', '.join(map(str, self.sample_rows))}." if self.sample_rows else ""
        # The number of a gate is in its message.
        rows = self.rows_failed if self.value is None else 0
        return Warned(self.rule.name, self.stream, rows, self.rows_checked, f"{self.message}{columns}{first}")

    @property
    def stops(self) -> bool:
        """Whether it ends the run before anything is sent."""
        return self.rule.severity is Severity.STOP and not self.passed and not self.accepted

    @property
    def passed(self) -> bool:
        """Whether nothing breaks the rule; a rule that excludes is never broken."""
        return self.rule.severity is Severity.EXCLUDE or (self.rows_failed == 0 and not self.message)

    @property
    def outcome(self) -> str:
        """``passed``, ``broken``, ``accepted`` or ``not_judged``."""
        if not self.judged:
            return "not_judged"
        if self.accepted:
            return "accepted"
        return "passed" if self.passed else "broken"


def warnings_of(results: Iterable[CheckResult]) -> tuple[Warned, ...]:
    """What checks found that keep no row back, in their order."""
    return tuple(each.warned for each in results if each.warned)
