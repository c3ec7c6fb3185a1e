"""``tests:`` of a sync's file: rows that are given in place of the database's, and what must become of each.

What a run makes of them is in ``run.sync_tests``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol, runtime_checkable

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from reverse_etl.config.draft import Draft, has, near
from reverse_etl.config.model import Misfit, YamlModel
from reverse_etl.config.problems import Path, did_you_mean, model_problems
from reverse_etl.config.statement import Column, read_statement
from reverse_etl.config.streams import ROWS, Stream

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of a test that names none: one that stays, so that no test fails because a day has passed."""

MOST_ROWS: Final = 100
"""Of a test, in each of its queries."""

_ROW: Final = {"type": "object", "description": "A row: columns with their values; a column left out is NULL."}
_ROWS: Final = {"type": "array", "items": _ROW}
_GIVEN: Final = {"anyOf": [_ROWS, {"type": "object", "additionalProperties": _ROWS}]}

_Row = dict[str, Any]


@runtime_checkable
class ReadsBeside(Protocol):
    """A sync that runs queries beside those of its streams.

    Attributes:
        BESIDE: What tests call them.
    """

    BESIDE: ClassVar[tuple[str, ...]]

    def queries_beside(self) -> dict[str, str]:
        """Those of them that it has, by these names."""
        ...


def _time(value: object) -> datetime:
    how = "write a date, a time and a zone, as in 2026-01-05T01:30:00Z"
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError(f"is not a point in time: {how}") from None
    if time.tzinfo is None:
        raise ValueError(f"has no zone: {how}")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"is not a point in time: {how}") from None


def _by_query(value: object) -> object:
    """A list of rows is that of the sync's own query; one of them left empty has no rows."""
    if isinstance(value, Mapping):
        return {name: () if rows is None else rows for name, rows in value.items()}
    return {ROWS: value} if isinstance(value, list) else value


class _FailedRow(YamlModel):
    """A row that is not sent, as a test expects it.

    Attributes:
        row: Its number among those given, from 1.
        query: Which query returns it.
    """

    row: int = Field(ge=1, description="The number of the row among those given, from 1.")
    query: str = Field(default=ROWS, description="Where the row is given: rows, relationships.")


class RejectedRow(_FailedRow):
    """A row that a rule rejects."""

    reason: str = Field(min_length=1, description="The rule that rejects it, as `preview` and `errors` show it.")
    field: str | None = Field(default=None, description="The column at fault; not compared where it is left out.")


class ExcludedRow(_FailedRow):
    """A row that is left out."""

    reason: str = Field(min_length=1, description="What leaves it out, as `preview` shows it.")


class ExpectedConfig(YamlModel):
    """What becomes of the rows of a test: of every one of them.

    Attributes:
        operations: Those that are sent, stream by stream, in the order of the rows.
        rejected: Rows that a rule rejects.
        excluded: Rows that are left out.
        stopped: The check that stops the run; empty for none.
        match: Whether an operation may have keys that are not expected.
    """

    operations: Annotated[tuple[_Row, ...], WithJsonSchema({"type": "array", "items": {"type": "object"}})] = Field(
        default=(), description="What is sent, as `preview --operations` shows it, in the order of the rows."
    )
    rejected: tuple[RejectedRow, ...] = Field(default=(), description="The rows that are rejected.")
    excluded: tuple[ExcludedRow, ...] = Field(default=(), description="The rows that are left out.")
    stopped: str = Field(default="", description="The check that stops the run; then nothing is sent.")
    match: Literal["exact", "subset"] = Field(
        default="exact", description="subset: an operation may have keys that are not expected."
    )

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """A run that is stopped sends nothing."""
        if given.get("stopped") and given.get("operations"):
            yield "operations", "a run that is stopped sends nothing: leave out operations or stopped"
        yield from super().misfits(given)


class SyncTest(YamlModel):
    """One test of a sync.

    Attributes:
        line: Where it is written in the sync's file.
        name: Unlike those of the sync's other tests.
        now: The database's clock, aware, UTC.
        given: By query, the rows that it returns.
        types: What the text of a column is, where YAML has no word for it.
        expect: What becomes of them.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = frozenset({"line"})

    line: SkipJsonSchema[int] = 0
    name: str = Field(min_length=1, description="A sentence, shown where the test fails.")
    now: Annotated[
        datetime,
        BeforeValidator(_time),
        WithJsonSchema({"type": "string", "default": "2026-01-01T00:00:00Z", "examples": ["2026-01-05T12:00:00Z"]}),
    ] = Field(default=NOW, description="The time of the run; by default 2026-01-01T00:00:00Z.")
    given: Annotated[dict[str, tuple[_Row, ...]], BeforeValidator(_by_query), WithJsonSchema(_GIVEN)] = Field(
        description="The rows of the query; or by query, as in `rows: [...]`, `relationships: [...]`."
    )
    types: dict[str, Literal["text", "integer", "number", "boolean", "date", "timestamp"]] = Field(
        default={}, description="What a column's values are where YAML has no such type, as in `created_at: timestamp`."
    )
    expect: ExpectedConfig = Field(description="What becomes of every row.")

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """Not too many rows."""
        rows = _by_query(given.get("given"))
        for name, each in rows.items() if isinstance(rows, Mapping) else ():
            if isinstance(each, list) and len(each) > MOST_ROWS:
                yield ("given", name), f"has {len(each):,} rows; a test takes {MOST_ROWS:,} at most"
        yield from super().misfits(given)


def read_tests(draft: Draft, entries: Any, streams: Sequence[Stream], beside: Collection[str]) -> tuple[SyncTest, ...]:
    """The tests of a file as models; what is wrong with them is added to its problems.

    Args:
        draft: The sync's file, its queries known.
        entries: What is written under ``tests``.
        streams: What the sync sends.
        beside: The names of queries that are read beside those.
    """
    if entries is None:
        return ()
    if not isinstance(entries, list):
        draft.problem(("tests",), "must be a list, such as `- name: a new customer is sent`")
        return ()
    tests: dict[str, SyncTest] = {}
    for at, entry in enumerate(entries):
        path: Path = ("tests", at)
        test = _read(draft, entry, path)
        if test is None:
            continue
        if (same := tests.get(test.name)) is not None:
            draft.problem((*path, "name"), f"another test has this name, on line {same.line}")
        tests[test.name] = test
        for problem in _misnamed(draft, test, path, {stream.name: stream for stream in streams}, beside):
            draft.problem(*problem)
    return tuple(tests.values())


def _read(draft: Draft, entry: Any, path: Path) -> SyncTest | None:
    if isinstance(entry, dict) and "line" in entry:
        draft.problem((*path, "line"), "unknown key")
        return None
    try:
        test = SyncTest.model_validate(entry)
    except ValidationError as error:
        draft.problems.extend(
            model_problems(error, model=SyncTest, file=draft.file, document=draft.document, under=path)
        )
        return None
    return test.model_copy(update={"line": draft.document.place.line_of(path)})


def _misnamed(
    draft: Draft, test: SyncTest, path: Path, streams: Mapping[str, Stream], beside: Collection[str]
) -> Iterator[tuple[Path, str]]:
    """Queries, columns and rows that are not there."""
    known: tuple[Column, ...] | None = ()
    for name, rows in test.given.items():
        here: Path = (*path, "given", name) if draft.document.place.at(*path, "given", name) else (*path, "given")
        if name not in streams and name not in beside:
            yield here, f"the sync has no such query{did_you_mean(name, [*streams, *beside], otherwise='it has')}"
            continue
        columns = _columns(draft, streams.get(name))
        known = None if columns is None or known is None else (*known, *columns)
        for number, row in enumerate(rows):
            for column in row:
                if columns is not None and not has(columns, column):
                    yield (*here, number, column), f"the query has no column `{column}`{near(column, columns)}"
    for column in test.types if known is not None else ():
        if known is not None and not has(known, column):
            yield (*path, "types", column), f"the query has no column `{column}`{near(column, known)}"
    for key in ("rejected", "excluded"):
        for number, each in enumerate(getattr(test.expect, key)):
            there = len(test.given.get(each.query, ()))
            if each.query not in streams:
                at: Path = (*path, "expect", key, number, "query")
                yield at, f"the sync has no such query{did_you_mean(each.query, streams, otherwise='it has')}"
            elif each.row > there:
                yield (*path, "expect", key, number, "row"), f"there is no row {each.row}: given has {there}"


def _columns(draft: Draft, stream: Stream | None) -> tuple[Column, ...] | None:
    """What the text of a query shows that it returns; None where it does not."""
    if stream is None or draft.dialect is None or not isinstance(sql := draft.at(stream.at), str) or not sql.strip():
        return None
    return read_statement(sql, draft.dialect).columns
