"""What a check is: a rule with a name, a severity and findings; and what became of it in one run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from reverse_etl.report import Counts

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
        description: One sentence for Dagster's UI: the rule in words.
        columns: Columns that the result must have, or the check is a mistake in the sync's file.
        of_the_whole: Whether it judges a share or number of all rows, which holds for no part of them.
    """

    name: str
    severity: Severity
    description: str
    columns: tuple[str, ...] = ()
    of_the_whole: bool = False


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


@runtime_checkable
class Gate(Protocol):
    """A rule on the whole changeset's numbers, applied when every row is marked."""

    @property
    def rule(self) -> Rule:
        """Its name and severity: ``warn`` or ``stop``."""
        ...

    def exceeded(self, counts: Counts) -> str:
        """A sentence on how far the gate is exceeded; empty when it is not."""
        ...


AnyRule = BatchRule | ChangesetRule | Gate


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One rule's result in one run; becomes one asset check.

    Attributes:
        rule: The rule.
        stream: The name of the stream.
        rows_checked: Rows of the stream.
        rows_failed: Rows with a finding, each counted once; of a gate, the rows it counts, when it is exceeded.
        rows_excluded: Rows that a rule of severity ``exclude`` leaves out; they are no failure.
        sample_rows: The first ``SAMPLE_ROWS`` row numbers with a finding, ascending.
        fields: The columns at fault, in the order in which they were found.
        message: The first finding's message; empty where there is none.
        judged: Whether it was applied; in a retry, rules ``of_the_whole`` are not.
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

    @property
    def passed(self) -> bool:
        """Whether nothing breaks the rule; a rule that excludes is never broken."""
        return self.rule.severity is Severity.EXCLUDE or (self.rows_failed == 0 and not self.message)
