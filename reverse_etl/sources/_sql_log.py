"""A log that is asked in SQL, as SQL Server and Snowflake have it: nothing is made or dropped for one reader."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from reverse_etl.errors import QueryError
from reverse_etl.sources.powers import CHANGED_KEY, GapError, LogStatus

Stream = Callable[[str], Generator[pa.RecordBatch, None, None]]
"""Runs a query."""


class LogSql(Protocol):
    """An engine's statements. Each returns one column."""

    def about(self) -> str:
        """A query of a text that tells the database from others."""
        ...

    def place(self) -> str:
        """A query of the place up to which all is committed, as text; NULL where the database keeps no log."""
        ...

    def oldest(self, table: str) -> str:
        """A query of the oldest place that a table's log has, as text; NULL where it has none. Empty: not known."""
        ...

    def keys(self, table: str, column: str, since: str, until: str) -> str:
        """A query of the values of a column in rows that were written between two places."""
        ...

    def is_before(self, place: str, other: str) -> bool:
        """Whether a place is earlier."""
        ...

    def missing(self, table: str) -> str:
        """A sentence with the statement that has a table's changes kept; without a table, the database's."""
        ...


@dataclass(frozen=True, slots=True)
class SqlLog:
    """See ``powers.ChangeLog``.

    Attributes:
        tables: As the sync names them, each with its column.
        spoken: The engine's statements.
        stream: Runs one of them.
    """

    tables: Mapping[str, str]
    spoken: LogSql
    stream: Stream

    def now(self) -> str:
        problems = self._problems()
        if problems:
            raise GapError(problems[0])
        tables = hashlib.sha256(repr(sorted(self.tables.items())).encode()).hexdigest()[:16]
        return f"{self._value(self.spoken.about())}|{tables}|{self._value(self.spoken.place())}"

    def changed(self, since: str, until: str) -> Generator[pa.RecordBatch, None, None]:
        about, tables, last = since.rsplit("|", 2)
        about_now, tables_now, now = until.rsplit("|", 2)
        if about != about_now or self.spoken.is_before(now, last):
            raise GapError("The database was restored, or it is another one.")
        if tables != tables_now:
            raise GapError("`changes.tables` is not as it was.")
        for table, column in self.tables.items():
            yield from self._keys(table, column, last, now)
            # What was cleaned up while it was read is missing without a word.
            oldest = self.spoken.oldest(table)
            if oldest and self.spoken.is_before(last, self._value(oldest) or now):
                raise GapError(f"The database no longer has what changed in {table} since the last completed run.")

    def status(self) -> LogStatus:
        problems = self._problems()
        return LogStatus(exists=not problems, problems=tuple(problems))

    def create(self) -> None:
        problems = self._problems()
        if problems:
            raise QueryError(problems[0])

    def drop(self) -> bool:
        return False

    def _problems(self) -> list[str]:
        place = self._value(self.spoken.place())
        if not place:
            return [self.spoken.missing("")]
        problems = []
        for table, column in self.tables.items():
            oldest = self.spoken.oldest(table)
            if oldest and not self._value(oldest):
                problems.append(self.spoken.missing(table))
                continue
            try:
                for _ in self._keys(table, column, place, place):
                    pass
            except GapError as gap:
                problems.append(f"{gap} {self.spoken.missing(table)}")
        return problems

    def _keys(self, table: str, column: str, since: str, until: str) -> Generator[pa.RecordBatch, None, None]:
        try:
            with closing(self.stream(self.spoken.keys(table, column, since, until))) as batches:
                for batch in batches:
                    keys = batch.column(0).cast(pa.string()).drop_null()
                    names = pa.array([table] * len(keys), pa.string())
                    yield pa.RecordBatch.from_arrays([names, keys], schema=CHANGED_KEY)
        except QueryError as error:
            raise GapError(f"What changed in {table} could not be read: {error.message.rstrip('.')}.") from None

    def _value(self, query: str) -> str:
        """The only value of the only row, as text; empty for NULL."""
        with closing(self.stream(query)) as batches:
            (batch,) = batches
        value = batch.column(0)[0].as_py()
        return "" if value is None else str(value)
