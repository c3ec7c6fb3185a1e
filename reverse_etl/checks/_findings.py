"""What the rules of one stream have found so far: counts for their results, and failed rows in row order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.excluded import FIRST_EXCLUDED, Excluded
from reverse_etl.changeset.parts import FAILED_ROW_SCHEMA
from reverse_etl.checks.base import SAMPLE_ROWS, CheckResult, ColumnFinding, Finding, Rule, Severity

STAGE = "check"

_KEEPS_BACK = (Severity.REJECT, Severity.STOP)

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]
Marks = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(slots=True)
class Tally:
    """One rule's findings, counted. Batches come in row order."""

    rule: Rule
    rows: int = 0
    sample: list[int] = field(default_factory=list)
    fields: dict[str, None] = field(default_factory=dict)
    message: str = ""

    @property
    def keeps_back(self) -> bool:
        """Whether rows with a finding are rejected."""
        return self.rule.severity in _KEEPS_BACK

    def add(self, findings: Iterable[Finding | ColumnFinding], numbers: Numbers) -> tuple[Marks, list[Finding]]:
        """Counts the findings of one batch.

        Args:
            findings: Of this batch alone.
            numbers: The batch's row numbers, ascending.

        Returns:
            One mark a row of the batch, and the findings that have rows.
        """
        marks: Marks = np.zeros(len(numbers), dtype=np.bool_)
        with_rows = []
        for finding in findings:
            self.message = self.message or finding.message
            if finding.field:
                self.fields[finding.field] = None
            if isinstance(finding, Finding):
                marks[np.searchsorted(numbers, finding.rows.to_numpy())] = True
                with_rows.append(finding)
        self.rows += int(marks.sum())
        if len(self.sample) < SAMPLE_ROWS:
            found = numbers[marks][: SAMPLE_ROWS - len(self.sample)]
            self.sample.extend(int(row) for row in found)
        return marks, with_rows

    def result(self, stream: str, rows_checked: int) -> CheckResult:
        """The rule's result, once all batches are counted."""
        excludes = self.rule.severity is Severity.EXCLUDE
        return CheckResult(
            rule=self.rule,
            stream=stream,
            rows_checked=rows_checked,
            rows_failed=0 if excludes else self.rows,
            rows_excluded=self.rows if excludes else 0,
            sample_rows=tuple(self.sample),
            fields=tuple(self.fields),
            message=self.message,
        )


@dataclass(slots=True)
class Across:
    """What one rule found across rows, one byte a row: 0, or which of its messages."""

    codes: np.ndarray[tuple[int], np.dtype[np.uint8]]
    about_columns: list[ColumnFinding] = field(default_factory=list)
    kinds: list[tuple[str, str]] = field(default_factory=list)

    def add(self, finding: Finding | ColumnFinding) -> None:
        if isinstance(finding, ColumnFinding):
            self.about_columns.append(finding)
            return
        kind = (finding.field, finding.message)
        if kind not in self.kinds:
            self.kinds.append(kind)
        rows = finding.rows.to_numpy() - 1
        self.codes[rows[self.codes[rows] == 0]] = self.kinds.index(kind) + 1

    def findings(self, numbers: Numbers) -> Iterator[Finding | ColumnFinding]:
        yield from self.about_columns
        codes = self.codes[numbers - 1]
        for number, (column, message) in enumerate(self.kinds, start=1):
            rows = numbers[codes == number]
            if len(rows):
                yield Finding(pa.array(rows, pa.int64()), column, message)


def note_excluded(
    excluded: dict[str, Excluded],
    rule: Rule,
    findings: Sequence[Finding],
    rows: Numbers,
) -> None:
    """Adds rows of one batch to those that a rule leaves out; ``excluded`` is by the rule's name."""
    if len(rows):
        known = excluded.setdefault(rule.name, Excluded(rule.name, findings[0].message))
        known.rows += len(rows)
        known.first += rows[: FIRST_EXCLUDED - len(known.first)].tolist()


def failed_rows(
    identifiers: pa.StringArray, findings: Sequence[tuple[Rule, Finding]], *, stream: str, numbers: Numbers
) -> pa.RecordBatch:
    """The failed rows of one batch, ascending, as ``FAILED_ROW_SCHEMA``; the first broken rule is the reason.

    Args:
        identifiers: Of every row of the batch.
        findings: Those that keep rows back, in the order of the rules.
        stream: The name of the stream.
        numbers: The batch's row numbers, ascending.
    """
    count = len(identifiers)
    nothing = pa.nulls(count, pa.string())
    reasons, fields, messages = nothing, nothing, nothing
    for rule, finding in findings:
        marks = np.zeros(count, dtype=np.bool_)
        marks[np.searchsorted(numbers, finding.rows.to_numpy())] = True
        found = pa.array(marks)
        fresh = pc.and_(found, pc.is_null(reasons))
        before = pc.utf8_rtrim(messages, characters=".")
        further = pc.binary_join_element_wise(before, pa.scalar(finding.message), "; ")
        messages = pc.if_else(fresh, pa.scalar(finding.message), pc.if_else(found, further, messages))
        reasons = pc.if_else(fresh, pa.scalar(rule.name), reasons)
        fields = pc.if_else(fresh, pa.scalar(finding.field), fields)
    failed = reasons.is_valid()
    columns = [
        pa.array(numbers, pa.int64()),
        pa.repeat(pa.scalar(stream), count),
        identifiers,
        pa.repeat(pa.scalar(STAGE), count),
        reasons,
        fields,
        messages,
    ]
    return pa.RecordBatch.from_arrays(columns, schema=FAILED_ROW_SCHEMA).filter(failed)
