"""The rows that failed in an earlier run, asked for again by their identifiers: newest values, and only those rows.

A sync's query is read as it is, from last sync time 0, as a table of which rows are picked. Which rows failed is
read from the run's CSV, for only there identifiers are whole.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from reverse_etl.changeset.query import render
from reverse_etl.config.sql_text import one_statement
from reverse_etl.config.statement import quiet_sqlglot
from reverse_etl.errors import StateError
from reverse_etl.report import as_it_was
from reverse_etl.sources.base import logical_type

if TYPE_CHECKING:
    from reverse_etl.sources.base import Session

MOST_IDENTIFIERS: Final = 2_000
"""Identifiers that one query asks for."""

_UNQUOTABLE: Final = re.compile(r"[\\\x00-\x1f\x7f]")
"""Characters that one engine or another does not take as they are between quotes; an identifier has none of them."""

_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,38})?")


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
        (found,) = next(self._asked("SELECT max(attempt::INTEGER) FROM {csv}"))
        return int(found[0] or 1)

    def without_identifier(self) -> int:
        """Failed rows that cannot be asked for by name. Raises StateError where the CSV is gone."""
        unnamed = f"coalesce(identifier, '') = '' OR regexp_matches(identifier, '{_UNQUOTABLE.pattern}')"
        (found,) = next(self._asked(f"SELECT count(*) FILTER ({unnamed}) FROM {{csv}}"))
        return int(found[0])

    def identifiers(self, query: str) -> Iterator[list[str]]:
        """The identifiers of a query's failed rows, each once, at most ``MOST_IDENTIFIERS`` at a time.

        Raises:
            StateError: The CSV is gone.
        """
        distinct = f"SELECT DISTINCT identifier FROM {{csv}} WHERE query = '{query}' AND identifier <> ''"
        for rows in self._asked(f"{distinct} ORDER BY identifier"):
            identifiers = [as_it_was(cell) for (cell,) in rows]
            yield [identifier for identifier in identifiers if not _UNQUOTABLE.search(identifier)]

    def _asked(self, sql: str) -> Iterator[list[tuple[str, ...]]]:
        import duckdb

        if not self.csv.is_file():
            raise StateError(
                f"the failed-rows CSV of run {self.run_id[:8]} is gone: {self.csv}.",
                hint="Retention may have removed it. To send everything again: reverse-etl run SYNC --full",
            )
        path = str(self.csv).replace("'", "''")
        table = f"""read_csv('{path}', header = true, all_varchar = true, delim = ',', quote = '"', escape = '"')"""
        with (
            tempfile.TemporaryDirectory(prefix="reverse-etl-") as scratch,
            duckdb.connect(":memory:", config={"memory_limit": "128MB", "threads": 2, "temp_directory": scratch}) as db,
        ):
            db.execute(sql.format(csv=table))
            while rows := db.fetchmany(MOST_IDENTIFIERS):
                yield rows


def rows_again(
    session: Session, sql: str, column: str, identifiers: Iterator[list[str]], *, dialect: str
) -> Generator[pa.RecordBatch, None, None]:
    """The rows of a query whose identifier is one of these; at least one batch, so that the columns are known.

    Args:
        session: An open session.
        sql: The sync's query as written.
        column: The identifier's column, as the query's result spells it.
        identifiers: As ``changeset.text.as_text`` says them.
        dialect: The database's name in sqlglot.

    Raises:
        QueryError: The database refused the query.
    """
    text = render(sql, 0)
    with closing(session.stream(picked(text, "1 = 0", dialect))) as stream:
        (probe,) = list(stream)
    yield probe
    if column not in probe.schema.names:
        return
    field = probe.schema.field(column)
    for some in identifiers:
        condition = _is_one_of(column, some, field, dialect)
        if condition:
            with closing(session.stream(picked(text, condition, dialect))) as stream:
                yield from stream


def picked(sql: str, condition: str, dialect: str) -> str:
    """The query as a table ``q`` of which only the rows that meet a condition are read."""
    text = one_statement(sql, dialect)
    if dialect == "tsql":
        # Neither WITH nor ORDER BY nor OPTION may stand inside a table expression there.
        return _picked_tsql(text, condition)
    # The line break ends a comment on the query's last line.
    return f"SELECT * FROM (\n{text}\n) AS q WHERE {condition}"


def _picked_tsql(text: str, condition: str) -> str:
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        with quiet_sqlglot():
            tree = parse_one(text, read="tsql")
            names = tree.args.get("with_")
            tree.set("with_", None)
            tree.set("options", None)
            if not (tree.args.get("limit") or tree.args.get("offset")):
                tree.set("order", None)
            table = tree.sql(dialect="tsql")
            before = f"{names.sql(dialect='tsql')} " if isinstance(names, exp.With) else ""
    except (SqlglotError, RecursionError):
        before, table = "", text
    return f"{before}SELECT * FROM (\n{table}\n) AS q WHERE {condition}"


def _is_one_of(column: str, identifiers: Sequence[str], field: pa.Field, dialect: str) -> str:
    """A condition that the column's own type understands; empty where no identifier can be one of its values."""
    from sqlglot import exp

    name = f"q.{exp.to_identifier(column, quoted=True).sql(dialect=dialect)}"
    kind, mark = field.type, logical_type(field)
    integers = pa.types.is_integer(kind)
    if integers or pa.types.is_floating(kind) or mark == "decimal":
        pattern = _INTEGER if integers else _NUMBER
        values = [value for value in identifiers if pattern.fullmatch(value)]
    elif pa.types.is_string(kind) and mark not in ("decimal", "json"):
        values = [_quoted(value, dialect) for value in identifiers]
    elif dialect == "sqlite":
        # Its columns have no types: 7 and '7' may stand in one and differ.
        numbers = [value for value in identifiers if _NUMBER.fullmatch(value)]
        values = [*numbers, *(_quoted(value, dialect) for value in identifiers)]
    else:
        text = exp.DataType.build("nvarchar(max)" if dialect == "tsql" else "text", dialect=dialect)
        name = f"CAST({name} AS {'CHAR' if dialect == 'mysql' else text.sql(dialect=dialect)})"
        values = [_quoted(value, dialect) for value in identifiers]
    return f"{name} IN ({', '.join(values)})" if values else ""


def _quoted(value: str, dialect: str) -> str:
    from sqlglot import exp

    if dialect == "bigquery":
        return exp.Literal.string(value).sql(dialect=dialect)
    # A doubled quote is one in every other engine, whatever it makes of a backslash.
    national = "N" if dialect == "tsql" and not value.isascii() else ""
    return f"{national}'{value.replace(chr(39), chr(39) * 2)}'"
