"""Rows that are asked for by their identifiers: newest values, and only those rows, such as those that failed before.

A sync's query is read as it is, from last sync time 0, as a table of which rows are picked. Which rows failed is
read from the run's CSV, for only there identifiers are whole. How a query is asked for rows is ``picking``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import pyarrow as pa

from reverse_etl.changeset.columns import is_one_of, known_as
from reverse_etl.changeset.failed_rows import LEFT_BY_RUNS
from reverse_etl.changeset.failed_rows_csv import RUN_AS_ITS_OWN_CELL, RUN_BY_SPREADSHEETS, made_harmless
from reverse_etl.changeset.picking import Condition, condition, picked
from reverse_etl.changeset.query import render
from reverse_etl.changeset.text import number_text
from reverse_etl.counted import counted
from reverse_etl.errors import QueryError, StateError
from reverse_etl.files.scratch import scratch_database
from reverse_etl.shaping.shape import READ_AS, ShapedSession, Source
from reverse_etl.sources.base import logical_type

if TYPE_CHECKING:
    import duckdb

    from reverse_etl.config.dialect import Dialect
    from reverse_etl.config.streams import Stream
    from reverse_etl.sources.base import Session

MOST_IDENTIFIERS: Final = 2_000
"""Identifiers that one query asks for."""


def left_gone(removals: int) -> str:
    """What becomes of failed rows that a retry cannot read, because they are gone: a sentence; empty for none."""
    if not removals:
        return ""
    are = counted(removals, "failed row is one that is", "failed rows are ones that are")
    return f"{are} gone: a retry removes nothing, the next run tries again."


_TEXT: Final = pa.string()


class Wanted(Protocol):
    """Which rows are asked for."""

    def opened(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A database with the table ``wanted (row_number, query, identifier)``, gone when the block ends.

        Raises:
            StateError: It is not known any more.
        """
        ...


@contextmanager
def wanted_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with an empty table as ``Wanted`` has it."""
    with (
        tempfile.TemporaryDirectory(prefix="reverse-etl-") as scratch,
        scratch_database(Path(scratch), file="wanted.duckdb") as database,
    ):
        database.execute(
            "CREATE TABLE wanted (row_number BIGINT, query VARCHAR, identifier VARCHAR, attempt INTEGER DEFAULT 1, "
            "left_by_run BOOLEAN DEFAULT false)"
        )
        yield database


@dataclass(frozen=True, slots=True)
class FailedBefore:
    """The failed rows of an earlier run.

    Attributes:
        run_id: The run.
        csv: Its failed-rows CSV.
    """

    run_id: str
    csv: Path

    def attempt(self) -> int:
        """Which attempt that run was. Raises StateError where its CSV is gone."""
        with self.opened() as database:
            (found,) = database.sql("SELECT max(attempt) FROM wanted").fetchall()[0]
        return int(found or 1)

    def without_identifier(self) -> tuple[int, int]:
        """Failed rows that cannot be asked for: those that the run left without an answer, and all others.

        Raises:
            StateError: The CSV is gone.
        """
        left = "count(*) FILTER (left_by_run)"
        with self.opened() as database:
            sql = f"SELECT {left}, count(*) - {left} FROM wanted WHERE identifier = ''"
            ((unanswered, others),) = database.sql(sql).fetchall()
        return int(unanswered), int(others)

    def removals(self, streams: Sequence[Stream]) -> int:
        """Failed rows that stand for what is gone, so that no query has them. Raises StateError where the CSV is gone.

        Args:
            streams: Those of the sync.
        """
        with self.opened() as database:
            sql = "SELECT count(*) FROM wanted WHERE list_contains(?, query)"
            (found,) = database.execute(sql, [[stream.gone for stream in streams]]).fetchall()[0]
        return int(found)

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """As ``Wanted`` has it, each failed row with its ``attempt``. Raises StateError where the CSV is gone."""
        if not self.csv.is_file():
            raise StateError(
                f"the failed-rows CSV of run {self.run_id[:8]} is gone: {self.csv}.",
                hint="Retention may have removed it. To send everything again: reverse-etl run SYNC --full",
            )
        patterns = (made_harmless(RUN_BY_SPREADSHEETS), made_harmless(RUN_AS_ITS_OWN_CELL))
        path, *harmless = (str(text).replace(chr(39), chr(39) * 2) for text in (self.csv, *patterns))
        with wanted_database() as database:
            database.execute(
                f"""
                INSERT INTO wanted
                SELECT row_number::BIGINT, query, regexp_replace(regexp_replace(
                    coalesce(identifier, ''), '{harmless[0]}', '\\1\\2'), '{harmless[1]}', '\\1\\2', 'g'),
                    attempt::INTEGER, stage = 'delivery' AND list_contains(?, reason)
                FROM read_csv('{path}', header = true, all_varchar = true, delim = ',', quote = '"', escape = '"')
                """,
                [sorted(LEFT_BY_RUNS)],
            )
            yield database


@dataclass(slots=True)
class RowsAgain:
    """The rows of one stream whose identifier is one of those that are asked for.

    Attributes:
        session: An open session, which shapes the rows where the stream asks for it.
        stream: The stream.
        dialect: The database's.
        wanted: Which are.
        tells_missing: Whether those that are not found are rows as well.
        gone: Takes, of rows that changed, the identifiers that have none any more; ``missing`` holds them.
        not_found: How many rows at the end are such, once all batches were read.
        missing: Identifiers that are not found, likewise.
    """

    session: Session | ShapedSession
    stream: Stream
    dialect: Dialect
    wanted: Wanted
    tells_missing: bool = True
    gone: Callable[[duckdb.DuckDBPyConnection], None] | None = None
    not_found: int = field(default=0, init=False)
    missing: int = field(default=0, init=False)

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """The rows, then one row with nothing but its identifier for each that is not found; at least one batch.

        Raises:
            QueryError: The database refused the query.
            StateError: What was asked for is not known any more.
        """
        text = render(self.stream.query, 0)
        with closing(self.session.stream(picked(text, "1 = 0", self.dialect))) as stream:
            (probe,) = list(stream)
        if not set(self.stream.identifier) <= set(probe.schema.names):
            yield probe
            return
        with self.wanted.opened() as database:
            database.execute("CREATE TABLE missing (identifier VARCHAR, everywhere BOOLEAN, found BOOLEAN)")
            empty = True
            for batch in self._found(text, probe, database):
                empty = empty and not batch.num_rows
                if batch.num_rows:
                    yield batch
            if empty:
                yield probe
            self.missing = len(database.sql("SELECT 1 FROM missing WHERE NOT found").fetchall())
            if self.gone is not None:
                self.gone(database)
            elif self.tells_missing:
                yield from self._not_found(probe, database)

    def counts(self) -> dict[str, int]:
        """What ``StreamFacts`` has of them, once all batches were read."""
        return {"not_found": self.not_found}

    def _found(self, text: str, probe: pa.RecordBatch, database: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
        for spelled in self._wanted(database):
            wanted = number_text(spelled) if self.gone is not None and self._is_number(probe) else spelled
            asked = self._condition(wanted, probe)
            found: set[str] = set()
            everywhere = not asked.exact
            if asked.sql:
                try:
                    with closing(self.session.stream(picked(text, asked.sql, self.dialect))) as stream:
                        for batch in stream:
                            kept = self._only(batch, wanted)
                            found.update(known_as(kept, self.stream))
                            yield kept
                except QueryError:
                    if found:
                        raise
                    # An identifier that the column's type has no word for; the whole query is read instead.
                    everywhere = True
            missing = [identifier for identifier in wanted.to_pylist() if identifier not in found]
            if self.gone is not None:
                near = {each.casefold().strip() for each in found}
                missing = [identifier for identifier in missing if identifier.casefold().strip() not in near]
            rest = pa.table({"identifier": pa.array(missing, _TEXT)})
            database.register("rest", rest)
            database.execute("INSERT INTO missing SELECT identifier, ?, false FROM rest", [everywhere])
            database.unregister("rest")
        yield from self._found_everywhere(text, database)

    def _wanted(self, database: duckdb.DuckDBPyConnection) -> Iterator[pa.StringArray]:
        sql = "SELECT DISTINCT identifier FROM wanted WHERE query = ? AND identifier <> '' ORDER BY identifier"
        with database.cursor() as cursor:
            cursor.execute(sql, [self.stream.name])
            while rows := cursor.fetchmany(MOST_IDENTIFIERS):
                yield pa.array([identifier for (identifier,) in rows], _TEXT)

    def _found_everywhere(self, text: str, database: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
        """Rows that no condition could be trusted to find: the whole query is read, and only they are kept."""
        if not database.sql("SELECT 1 FROM missing WHERE everywhere LIMIT 1").fetchall():
            return
        with closing(self.session.stream(text)) as stream:
            for batch in stream:
                here = pa.table({"identifier": pa.array(known_as(batch, self.stream), _TEXT)})
                database.register("here", here)
                found = database.sql(
                    "SELECT DISTINCT identifier FROM here SEMI JOIN missing USING (identifier)"
                ).fetchall()
                database.execute("UPDATE missing SET found = true WHERE identifier IN (SELECT identifier FROM here)")
                database.unregister("here")
                if found:
                    wanted = pa.array([identifier for (identifier,) in found], _TEXT)
                    yield batch.filter(is_one_of(batch, self.stream, wanted))

    def _not_found(self, probe: pa.RecordBatch, database: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
        sql = (
            "SELECT identifier FROM wanted WHERE query = ? AND (identifier = '' "
            "OR identifier IN (SELECT identifier FROM missing WHERE NOT found)) ORDER BY row_number"
        )
        # What a row of several identifying columns was called is shown in the first of them.
        shown_in = "".join(self.stream.identifier[:1])
        schema = pa.schema([pa.field(name, _TEXT if name == shown_in else pa.null()) for name in probe.schema.names])
        with database.cursor() as cursor:
            cursor.execute(sql, [self.stream.name])
            while rows := cursor.fetchmany(MOST_IDENTIFIERS):
                self.not_found += len(rows)
                texts = pa.array([identifier or None for (identifier,) in rows], _TEXT)
                columns = [texts if name == shown_in else pa.nulls(len(rows)) for name in schema.names]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def _only(self, batch: pa.RecordBatch, wanted: pa.StringArray) -> pa.RecordBatch:
        """A condition may find more than was asked for: collations know no case, numbers no type.

        Rows that changed may be named in another spelling than theirs: of them more is better than less.
        """
        if self.gone is not None:
            return batch
        return batch.filter(is_one_of(batch, self.stream, wanted))

    def _is_number(self, probe: pa.RecordBatch) -> bool:
        field = self._read_as(probe)
        return logical_type(field) == "decimal" or pa.types.is_integer(field.type) or pa.types.is_floating(field.type)

    def _condition(self, wanted: pa.StringArray, probe: pa.RecordBatch) -> Condition:
        """What the query is asked for; of several identifying columns there is none, the whole query is read."""
        source = self._source()
        if source is None:
            return Condition("", exact=False)
        found = condition(source.column, wanted.to_pylist(), self._read_as(probe), self.dialect)
        return found if source.exact else replace(found, exact=False)

    def _read_as(self, probe: pa.RecordBatch) -> pa.Field:
        read_as = READ_AS.format(0)
        return probe.schema.field(read_as if read_as in probe.schema.names else self.stream.identifier[0])

    def _source(self) -> Source | None:
        """The column of the query that the rows are asked for by; None where there is not one."""
        if isinstance(self.session, ShapedSession):
            return self.session.shaper.source()
        return Source(self.stream.identifier[0], exact=True) if len(self.stream.identifier) == 1 else None
