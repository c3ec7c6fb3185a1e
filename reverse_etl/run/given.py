"""The rows of a test in place of a database: a session that returns them for a sync's queries."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.query import NO_END, render
from reverse_etl.config.draft import is_named
from reverse_etl.config.numbers import WrittenNumber
from reverse_etl.config.statement import read_statement
from reverse_etl.config.sync_tests import ReadsBeside
from reverse_etl.errors import ConfigError, QueryError
from reverse_etl.shaping.convert import CAN, converted
from reverse_etl.shaping.kinds import WORDS, kind_of
from reverse_etl.sources._arrow import canonical_field
from reverse_etl.sources._values import columns_to_batch
from reverse_etl.sources.powers import EVERY_ROW

if TYPE_CHECKING:
    from reverse_etl.config.dialect import Dialect
    from reverse_etl.config.sync_tests import SyncTest
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.sources.powers import Mark


@dataclass(slots=True)
class GivenSession:
    """A ``sources.base.Session`` whose rows are known.

    Attributes:
        clock: What its clock says.
        batches: By query as it is run, what it returns; one query may stand for several streams, in their order.
    """

    clock: datetime
    batches: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)

    def now(self) -> datetime:
        """The time of the test."""
        return self.clock

    def server(self) -> str:
        """No server."""
        return "the rows of a test"

    def read_only(self) -> bool:
        """Nothing can be written."""
        return True

    def mark(self, before: str, tables: Sequence[str]) -> Mark:  # noqa: ARG002 - as ``sources.powers.MarksRows`` has it
        """All rows are new."""
        from reverse_etl.sources.powers import Mark

        return Mark("", EVERY_ROW)

    def stream(self, sql: str, *, limit: int | None = None) -> Generator[pa.RecordBatch, None, None]:  # noqa: ARG002
        """The rows; no batch where none are given, so that no column is asked for.

        Raises:
            QueryError: The query is none of those that the test gives rows for.
        """
        if (given := self.batches.get(sql)) is None:
            raise QueryError("a test has the rows of its queries and no tables.")
        batch = given.pop(0) if len(given) > 1 else given[0]
        if batch.num_rows:
            yield batch


def given_session(sync: SyncConfig, test: SyncTest, dialect: Dialect, *, timezone: str) -> GivenSession:
    """A session that returns the rows of a test.

    A column of a query that a row leaves out is NULL. Where the text of a query does not show its columns, they are
    those that any test of the sync gives.

    Raises:
        ConfigError: A value is not of the type that the test says.
    """
    session = GivenSession(test.now)
    queries = {stream.name: render(stream.query, 0, EVERY_ROW, NO_END) for stream in sync.streams}
    beside = sync.queries_beside() if isinstance(sync, ReadsBeside) else {}
    for name, query in [*queries.items(), *beside.items()]:
        rows = test.given.get(name, ())
        names = _columns(sync, name, dialect)
        values = [[_value(row.get(column)) for row in rows] for column in names]
        batch = columns_to_batch(names, values, timezone=timezone)
        session.batches.setdefault(query, []).append(_typed(batch, test.types, name, timezone))
    return session


def _columns(sync: SyncConfig, name: str, dialect: Dialect) -> list[str]:
    given = dict.fromkeys(column for test in sync.tests for row in test.given.get(name, ()) for column in row)
    query = next((stream.query for stream in sync.streams if stream.name == name), "")
    columns = read_statement(query, dialect).columns if query else None
    if columns is None:
        return list(given)
    # Where a table decides about upper and lower case, the tests do.
    return [next((each for each in given if is_named(column, each)), column.name) for column in columns]


def _value(value: Any) -> Any:
    """A number with all its digits; anything else as YAML has it."""
    return Decimal(value.text) if isinstance(value, WrittenNumber) else value


def _typed(batch: pa.RecordBatch, types: Mapping[str, str], query: str, timezone: str) -> pa.RecordBatch:
    columns, fields = list(batch.columns), list(batch.schema)
    for at, each in enumerate(batch.schema):
        if (wanted := types.get(each.name)) is None:
            continue
        kind = kind_of(each)
        if kind != "nothing" and kind not in CAN[wanted]:
            raise ConfigError(
                f"column `{each.name}` of {query} is given as {WORDS[kind]}, of which no {wanted} can be made.",
                hint="Correct its values, or `types` of the test.",
            )
        columns[at], mark, lost = converted(columns[at], kind, wanted, timezone=timezone)
        if (first := pc.index(lost, True).as_py()) >= 0:
            raise ConfigError(
                f"column `{each.name}` of {query} is no {wanted} in row {first + 1}.",
                hint="Correct the value, or `types` of the test.",
            )
        fields[at] = canonical_field(each.name, columns[at], mark)
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
