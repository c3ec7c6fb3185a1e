"""The suite that every rule is put through: what it finds, and what must never matter to it.

A subclass names its module and gives rows, each with whether the rule must find it. Everything runs through
``validate`` on real Parquet parts, so that a rule passes here only when a run would show the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from reverse_etl.changeset.facts import StreamFacts
from reverse_etl.changeset.parts import Facts, RunFolder, with_row_numbers
from reverse_etl.checks.base import CheckResult, Gate, Severity, Whole
from reverse_etl.checks.rules import rules_for
from reverse_etl.checks.runner import Validation, validate
from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.destinations.customerio.sections import EventsConfig, ObjectsConfig, PeopleConfig, RelationshipsConfig
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.report import Counts, FailedRow, Outcome
from reverse_etl.sources.base import marked

STARTED_AT = 1_767_600_000
"""The run's start in all tests: 2026-01-05T08:00:00Z."""


def sync(*checks: CheckConfig, **kind: Any) -> Sync:
    """A sync of one kind: ``people=``, ``objects=`` or ``events=``, people by id unless set otherwise."""
    settings = kind or {"people": PeopleConfig()}
    return Sync(
        name="customers",
        file="syncs/customers.yaml",
        database="shop",
        workspace="main",
        schedule=ScheduleConfig(),
        query="SELECT 1",
        checks=checks,
        **settings,
    )


PEOPLE = sync()
PEOPLE_BY_EMAIL = sync(people=PeopleConfig(identify_by="email"))
OBJECTS = sync(objects=ObjectsConfig())
EVENTS = sync(events=EventsConfig(name=None))
MEMBERSHIPS = sync(people=PeopleConfig(), relationships=RelationshipsConfig(query="SELECT 2"))


@dataclass(frozen=True, slots=True)
class Checked:
    """A changeset that was validated."""

    validation: Validation
    folder: RunFolder

    def result(self, rule: str, query: str = "rows") -> CheckResult:
        """One rule's result."""
        return next(each for each in self.validation.results if (each.rule.name, each.stream) == (rule, query))

    def failed(self, query: str = "rows") -> list[FailedRow]:
        """The failed rows of a query."""
        return list(self.folder.parts(query).failed())

    def outcomes(self, query: str = "rows") -> list[Outcome]:
        """The outcome of each row."""
        return [Outcome(code) for code in self.folder.parts(query).outcomes(0).tolist()]


def store(folder: Path, rows: Sequence[pa.RecordBatch], relationships: Sequence[pa.RecordBatch] = ()) -> RunFolder:
    """Batches as a sealed changeset, as an extraction leaves it."""
    folder.mkdir(exist_ok=True)
    run = RunFolder(folder)
    counts = {
        query: run.parts(query).write(with_row_numbers(batches)) if batches else 0
        for query, batches in (("rows", rows), ("relationships", relationships))
    }
    run.seal(Facts("customers", 0, STARTED_AT, {stream: StreamFacts(rows) for stream, rows in counts.items()}))
    return run


def check(
    config: Sync, folder: Path, rows: Sequence[pa.RecordBatch], relationships: Sequence[pa.RecordBatch] = ()
) -> Checked:
    """Stores batches and validates them."""
    run = store(folder, rows, relationships)
    return Checked(validate(config, run), run)


def split(batch: pa.RecordBatch, sizes: Sequence[int]) -> list[pa.RecordBatch]:
    """A batch cut into parts of these sizes, the rest in the last."""
    parts, start = [], 0
    for size in (*sizes, batch.num_rows):
        parts.append(batch.slice(start, size))
        start += size
        if start >= batch.num_rows:
            break
    return parts


def filler(name: str, count: int) -> pa.Array:
    """Valid values for a column that a sync needs, all different."""
    if name == "email":
        return pa.array([f"person{row}@example.com" for row in range(count)], pa.string())
    if name == "occurred_at":
        return pa.array([STARTED_AT - row for row in range(count)], pa.int64())
    return pa.array([f"{name}-{row}" for row in range(count)], pa.string())


class RuleConformance:
    """Subclass, set the class variables, and inherit every test.

    Attributes:
        module: The module under ``reverse_etl.checks``.
        rule: The rule's name.
        sync: A sync that has the rule.
        query: Where it applies.
        column: The column whose values are given.
        field: The column's Arrow field.
        rows: Values, each with whether the rule must find the row.
        beside: Further columns, as long as the rows; needed ones are filled in.
        finds_null: Whether a NULL in the column is found.
        about_column: Whether the rule finds the column as a whole instead of rows.
        needs_rows: Whether the finding needs at least one row.
        across: Whether the rule compares rows, so that whether a value is found depends on the others.
        named: Whether the message names the column.
    """

    module: ClassVar[str]
    rule: ClassVar[str]
    sync: ClassVar[Sync] = PEOPLE
    query: ClassVar[str] = "rows"
    column: ClassVar[str] = "plan"
    field: ClassVar[pa.Field] = pa.field("plan", pa.string())
    rows: ClassVar[Sequence[tuple[Any, bool]]]
    beside: ClassVar[Mapping[str, pa.Array]] = {}
    finds_null: ClassVar[bool] = False
    about_column: ClassVar[bool] = False
    needs_rows: ClassVar[bool] = True
    named: ClassVar[bool] = True

    def batch(self, values: pa.Array, field: pa.Field | None = None) -> pa.RecordBatch:
        """A batch with everything the sync needs and the column's values."""
        columns = {
            name: filler(name, len(values))
            for name in (*self.sync.stream(self.query).required, "note")
            if name != self.column
        }
        columns |= {name: column.slice(0, len(values)) for name, column in self.beside.items()}
        fields = [pa.field(name, column.type) for name, column in columns.items()]
        own = (field or self.field).with_name(self.column)
        return pa.RecordBatch.from_arrays([*columns.values(), values], schema=pa.schema([*fields, own]))

    def check(self, folder: Path, batches: Sequence[pa.RecordBatch]) -> Checked:
        """Validates batches of the rule's query."""
        if self.query == "rows":
            return check(self.sync, folder, batches)
        people = pa.record_batch({"id": pa.array(["1"])})
        return check(self.sync, folder, [people], batches)

    def values(self) -> pa.Array:
        """The planted values."""
        return pa.array([value for value, _ in self.rows], self.field.type)

    def planted(self) -> list[int]:
        """The row numbers that must be found."""
        return [number for number, (_, found) in enumerate(self.rows, start=1) if found]

    @property
    def severity(self) -> Severity:
        """The rule's severity."""
        return next(each.rule.severity for each in rules_for(self.sync)[self.query] if each.rule.name == self.rule)

    def assert_found(self, checked: Checked) -> None:
        """The rule found exactly what was planted, and its severity took effect."""
        result = checked.result(self.rule, self.query)
        outcomes = checked.outcomes(self.query)
        if self.about_column:
            assert (result.passed, result.rows_failed, result.fields) == (False, 0, (self.column,))
            return
        rows = result.rows_excluded if self.severity is Severity.EXCLUDE else result.rows_failed
        assert (rows, list(result.sample_rows)) == (len(self.planted()), self.planted()[:10])
        if self.severity is Severity.EXCLUDE:
            assert [
                number for number, outcome in enumerate(outcomes, 1) if outcome == Outcome.EXCLUDED
            ] == self.planted()
        elif self.severity is not Severity.WARN:
            failed = {row.row_number for row in checked.failed(self.query) if self.rule in row.why.reason}
            others = {row.row_number for row in checked.failed(self.query)} - failed
            assert failed | others >= set(self.planted())
            assert failed <= set(self.planted())
            assert all(outcomes[number - 1] == Outcome.REJECTED for number in self.planted())

    def test_exactly_the_planted_rows_are_found(self, tmp_path: Path) -> None:
        """What breaks the rule is found, and nothing else is."""
        assert self.planted() or self.about_column
        self.assert_found(self.check(tmp_path, [self.batch(self.values())]))

    @pytest.mark.parametrize("sizes", [pytest.param([0, 2], marks=pytest.mark.thorough), [1, 1, 0, 1]])
    def test_where_parts_begin_does_not_matter(self, sizes: list[int], tmp_path: Path) -> None:
        """However the rows are cut into parts, empty ones included, the same is found."""
        self.assert_found(self.check(tmp_path, split(self.batch(self.values()), sizes)))

    def test_a_changeset_without_rows_has_no_failed_rows(self, tmp_path: Path) -> None:
        """Zero rows are valid; only a column's name may still be a finding."""
        result = self.check(tmp_path, [self.batch(self.values()).slice(0, 0)]).result(self.rule, self.query)
        assert (result.rows_checked, result.rows_failed) == (0, 0)
        assert result.passed == self.needs_rows

    @pytest.mark.parametrize("typed", [True, False])
    def test_null_is_treated_alike_in_typed_and_untyped_columns(self, typed: bool, tmp_path: Path) -> None:
        """A column of NULLs only is found in every row or in none, whether or not the source knew its type."""
        field = self.field if typed else pa.field(self.column, pa.null())
        result = self.check(tmp_path, [self.batch(pa.nulls(3, field.type), field)]).result(self.rule, self.query)
        if self.about_column:
            assert result.passed == (self.needs_rows and not self.finds_null)
        else:
            assert result.rows_failed == (3 if self.finds_null else 0)

    @pytest.mark.thorough
    def test_running_again_gives_the_same(self, tmp_path: Path) -> None:
        """A second pass over the same folder changes neither results nor failed rows nor outcomes."""
        first = self.check(tmp_path, [self.batch(self.values())])
        rows, outcomes = first.failed(self.query), first.outcomes(self.query)
        files = sorted(path.name for path in first.folder.parts(self.query).folder.iterdir())
        again = Checked(validate(self.sync, first.folder), first.folder)
        assert again.validation == first.validation
        assert (again.failed(self.query), again.outcomes(self.query)) == (rows, outcomes)
        assert sorted(path.name for path in first.folder.parts(self.query).folder.iterdir()) == files

    def test_no_message_holds_a_value(self, tmp_path: Path) -> None:
        """Messages and names never show what is in a row; they do name the column."""
        checked = self.check(tmp_path, [self.batch(self.values())])
        result = checked.result(self.rule, self.query)
        texts = [result.message, result.rule.name, result.rule.description, checked.validation.stopped]
        texts += [row.why.message for row in checked.failed(self.query)]
        shown = [str(value) for value, _ in self.rows if value is not None and len(str(value)) > 3]
        assert not [value for value in shown for text in texts if value in text.replace(self.column, "")]
        if self.named and self.severity is not Severity.EXCLUDE:
            assert f"`{self.column}`" in result.message


class GateConformance:
    """A gate: subclass, and give counts on either side of it.

    Attributes:
        module: The module under ``reverse_etl.checks``.
        config: The gate as a sync asks for it.
        within: Counts that pass.
        beyond: Counts that do not.
    """

    module: ClassVar[str]
    config: ClassVar[CheckConfig]
    within: ClassVar[Sequence[Counts]]
    beyond: ClassVar[Sequence[Counts]]

    def gate(self) -> Gate:
        """The gate among a sync's rules."""
        return next(each for each in rules_for(sync(self.config))["rows"] if isinstance(each, Gate))

    def test_counts_within_pass(self) -> None:
        """On this side of the gate there is no finding."""
        assert [self.gate().measure(Whole(counts), ()).exceeded for counts in self.within] == [""] * len(self.within)

    def test_counts_beyond_are_reported_with_the_numbers(self) -> None:
        """Beyond the gate a sentence says by how much."""
        for counts in self.beyond:
            assert f"{counts.extracted:,}" in self.gate().measure(Whole(counts), ()).exceeded

    def test_it_stops_unless_it_only_warns(self) -> None:
        """A gate stops the run by default and never keeps single rows back."""
        assert self.gate().rule.severity is Severity.STOP
        assert replace(self.gate().rule, severity=Severity.WARN).severity is Severity.WARN


def every_rule() -> list[type[RuleConformance] | type[GateConformance]]:
    """All conformance classes that were imported, without the two bases."""
    found: list[type[Any]] = []
    todo: list[Callable[[], list[type[Any]]]] = [RuleConformance.__subclasses__, GateConformance.__subclasses__]
    while todo:
        for each in todo.pop()():
            found.append(each)
            todo.append(each.__subclasses__)
    return found


JSON = marked("value", "json")
DECIMAL = marked("value", "decimal")
