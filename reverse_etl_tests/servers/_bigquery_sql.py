"""BigQuery's SQL on DuckDB, as far as the tests of the engine need it; its messages, and its values as REST says them.

Source of the messages and of the text of values: BigQuery's documentation and its client's own tests.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

LOCATION: Final = "EU"
NUMERIC: Final = "DECIMAL(38, 9)"
BIGNUMERIC: Final = "DECIMAL(38, 10)"
"""DuckDB has no 76 digits; the other scale tells the two types apart."""

_TYPES: Final = {
    "TINYINT": "INTEGER",
    "SMALLINT": "INTEGER",
    "INTEGER": "INTEGER",
    "BIGINT": "INTEGER",
    "HUGEINT": "INTEGER",
    "FLOAT": "FLOAT",
    "DOUBLE": "FLOAT",
    "VARCHAR": "STRING",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "DATETIME",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "BLOB": "BYTES",
    "JSON": "JSON",
    "INTERVAL": "INTERVAL",
    '"NULL"': "INTEGER",
    "DECIMAL(38,10)": "BIGNUMERIC",
}
_INTERVAL: Final = re.compile(r"(-?)(\d+)-(\d+) (-?\d+) (-?[\d:.]+)")
_STATEMENTS: Final = {
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE",
    exp.Merge: "MERGE",
    exp.Export: "EXPORT_DATA",
    exp.TruncateTable: "TRUNCATE_TABLE",
    exp.LoadData: "LOAD_DATA",
}


_CHANGES: Final = re.compile(r"CHANGES\(TABLE `([^`]+)`, TIMESTAMP '([^']+)', TIMESTAMP '([^']+)'\)")
_TABLES: Final = re.compile(r"`([^`]+)`\.INFORMATION_SCHEMA\.TABLES")
"""When tables were made is in another one, `<dataset>.__tables`: DuckDB does not know."""


class RefusedError(Exception):
    """An answer that BigQuery gives instead of a result: HTTP status, reason, message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


@dataclass(frozen=True, slots=True)
class Analyzed:
    """What a dry run finds out. ``fields`` are as in the REST API's schema; ``sql`` is DuckDB's."""

    statement: str
    sql: str = ""
    fields: tuple[dict[str, Any], ...] = ()


class Warehouse:
    """One project's datasets, in memory: a dataset is a schema of DuckDB."""

    def __init__(self, project: str, hidden: frozenset[str]) -> None:
        self.project = project
        self.database = duckdb.connect()
        self.database.execute("SET TimeZone = 'UTC'")
        self._hidden = hidden
        self._lock = threading.Lock()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own, which can be interrupted."""
        with self._lock:
            return self.database.cursor()

    def has(self, dataset: str) -> bool:
        """Whether there is such a dataset."""
        with self.cursor() as cursor:
            query = "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?"
            return cursor.execute(query, [dataset]).fetchone() is not None

    def analyze(self, sql: str, dataset: str | None) -> Analyzed:
        """Reads a statement without running it."""
        tree = _parse(_TABLES.sub(r"`\1.__tables`", _CHANGES.sub(self._changes, sql)))
        if tree is None:
            return Analyzed("SCRIPT")
        if not isinstance(tree, exp.Query):
            return Analyzed(_statement(tree))
        inner = {cte.alias for cte in tree.find_all(exp.CTE)}
        for table in list(tree.find_all(exp.Table)):
            if not (table.name in inner and not table.db) and isinstance(table.this, exp.Identifier):
                self._resolve(table, dataset)
        duck = tree.transform(_as_duckdb).sql(dialect="duckdb")
        with self.cursor() as cursor:
            try:
                found = cursor.execute(f"DESCRIBE {duck}").fetchall()
            except duckdb.Error as error:
                raise _refused(error, sql) from None
            fields = tuple(_field(name, cursor.sql(f"SELECT NULL::{kind}").types[0]) for name, kind, *_ in found)
        names = [field["name"].lower() for field in fields]
        twice = [field["name"] for field in fields if names.count(field["name"].lower()) > 1]
        if twice:
            message = "Duplicate column names in the result are not supported when a destination table is present."
            raise RefusedError(400, "invalidQuery", f"{message} Found duplicate(s): {twice[0]}")
        return Analyzed("SELECT", duck, fields)

    def run(self, analyzed: Analyzed, cursor: duckdb.DuckDBPyConnection) -> pa.Table:
        """The rows of a query."""
        try:
            return cursor.sql(analyzed.sql).to_arrow_table()
        except duckdb.InterruptException:
            raise RefusedError(499, "stopped", "Job execution was cancelled: User requested cancellation") from None
        except duckdb.Error as error:
            raise RefusedError(400, "invalidQuery", f"Bad value while running: {error}") from None

    def _changes(self, called: re.Match[str]) -> str:
        """What changed in a table is in another one, `<table>__changes`, with the time `changed_at`."""
        table, start, end = called[1], datetime.fromisoformat(called[2]), datetime.fromisoformat(called[3])
        now = datetime.now(UTC)
        if not timedelta() < end - start <= timedelta(days=1):
            raise RefusedError(400, "invalidQuery", "CHANGES takes at most one day between its two times.")
        if end > now - timedelta(minutes=10) or start < now - timedelta(days=7):
            raise RefusedError(400, "invalidQuery", "CHANGES reads from seven days to ten minutes ago.")
        times = f"changed_at >= TIMESTAMP '{called[2]}' AND changed_at < TIMESTAMP '{called[3]}'"
        return f"(SELECT * FROM `{table}__changes` WHERE {times})"

    def _resolve(self, table: exp.Table, default: str | None) -> None:
        """Makes the table's name DuckDB's, or says what BigQuery says."""
        parts = ".".join(part.name for part in table.parts).split(".")
        if [part.upper() for part in parts[-2:]] == ["INFORMATION_SCHEMA", "COLUMNS"] and self.has(parts[0]):
            table.set("catalog", None)
            table.set("db", exp.to_identifier("information_schema"))
            table.set("this", exp.to_identifier("columns"))
            return
        if len(parts) == 1:
            if default is None:
                message = f'Table "{parts[0]}" must be qualified with a dataset (e.g. dataset.table).'
                raise RefusedError(400, "invalid", message)
            parts.insert(0, default)
        dataset, name = parts[-2], parts[-1]
        whole = f"{self.project}:{dataset}.{name}"
        if not self.has(dataset):
            raise RefusedError(
                404, "notFound", f"Not found: Dataset {self.project}:{dataset} was not found in location {LOCATION}"
            )
        with self.cursor() as cursor:
            query = "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?"
            if cursor.execute(query, [dataset, name]).fetchone() is None:
                raise RefusedError(404, "notFound", f"Not found: Table {whole} was not found in location {LOCATION}")
        if name in self._hidden:
            message = f"Access Denied: Table {whole}: User does not have permission to query table {whole}, "
            raise RefusedError(403, "accessDenied", f"{message}or perhaps it does not exist.")
        table.set("catalog", None)
        table.set("db", exp.to_identifier(dataset, quoted=True))
        table.set("this", exp.to_identifier(name, quoted=True))


def _parse(sql: str) -> exp.Expression | None:
    """The only statement; None where there are several."""
    try:
        trees: list[Any] = [tree for tree in sqlglot.parse(sql, read="bigquery") if tree is not None]
    except sqlglot.errors.TokenError:
        raise RefusedError(400, "invalidQuery", "Syntax error: Unclosed string literal at [1:1]") from None
    except sqlglot.errors.ParseError as error:
        word = sql.split()[0]
        if word.upper() not in ("SELECT", "WITH"):
            raise RefusedError(400, "invalidQuery", f'Syntax error: Unexpected identifier "{word}" at [1:1]') from None
        place = error.errors[0]
        message = f"Syntax error: Unexpected keyword {place['highlight']} at [{place['line']}:{place['col']}]"
        raise RefusedError(400, "invalidQuery", message) from None
    if len(trees) == 1:
        tree: exp.Expression = trees[0]
        return tree
    return None


def _statement(tree: exp.Expression) -> str:
    if isinstance(tree, exp.Create | exp.Drop):
        made = "CREATE" if isinstance(tree, exp.Create) else "DROP"
        selected = "_AS_SELECT" if tree.args.get("expression") is not None else ""
        return f"{made}_{tree.args['kind'].upper()}{selected}"
    return _STATEMENTS.get(type(tree), "SCRIPT")


def _as_duckdb(node: exp.Expression) -> exp.Expression:
    """What sqlglot leaves as it is."""
    if isinstance(node, exp.DataType) and not node.expressions:
        if node.this == exp.DataType.Type.DECIMAL:
            return exp.DataType.build(NUMERIC, dialect="duckdb")
        if node.this == exp.DataType.Type.BIGDECIMAL:
            return exp.DataType.build(BIGNUMERIC, dialect="duckdb")
    if isinstance(node, exp.Interval) and isinstance(node.args.get("unit"), exp.IntervalSpan):
        sign, years, months, days, clock = _INTERVAL.fullmatch(node.this.name).groups()  # type: ignore[union-attr]
        text = f"{sign}{years} years {sign}{months} months {days} days {clock}"
        return exp.cast(exp.Literal.string(text), "INTERVAL", dialect="duckdb")
    return node


def _refused(error: duckdb.Error, sql: str) -> RefusedError:
    text = str(error)
    column = re.search(r'Referenced column "(\w+)"', text)
    if column:
        before = sql[: sql.find(column[1])]
        place = f"[{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}]"
        return RefusedError(400, "invalidQuery", f"Unrecognized name: {column[1]} at {place}")
    compared = re.search(r"Cannot compare values of type (TIMESTAMP|DATE)", text)
    if compared:
        types = f"{compared[1]}, INT64. Supported signature: ANY >= ANY"
        return RefusedError(400, "invalidQuery", f"No matching signature for operator >= for argument types: {types}")
    literal = re.search(r"Could not convert string '(.*)' to (\w+)", text)
    if literal:
        message = f'Could not cast literal "{literal[1]}" to type {literal[2]} at [1:8]'
        return RefusedError(400, "invalidQuery", message)
    return RefusedError(400, "invalidQuery", text)


def _field(name: str, kind: Any) -> dict[str, Any]:
    """A column as the REST API describes it."""
    if kind.id == "list":
        return {**_field(name, kind.children[0][1]), "mode": "REPEATED"}
    if kind.id == "struct":
        inner = [_field(child, inner_kind) for child, inner_kind in kind.children]
        return {"name": name, "type": "RECORD", "mode": "NULLABLE", "fields": inner}
    said = str(kind)
    return {"name": name, "type": _TYPES.get(said) or {"DECIMAL": "NUMERIC"}[said[:7]], "mode": "NULLABLE"}


def natural(table: pa.Table, fields: tuple[dict[str, Any], ...]) -> Iterator[pa.RecordBatch]:
    """The rows as the Storage Read API gives them; they lie in batches of at most some 10 MB."""
    target = pa.schema([pa.field(field["name"], _arrow_type(field)) for field in fields])
    table = pa.Table.from_arrays(list(table.columns), names=target.names)
    rows = max(1, table.num_rows * 4_000_000 // max(1, table.nbytes))
    for batch in table.combine_chunks().to_batches(max_chunksize=rows):
        columns = [_cast(column, field.type) for column, field in zip(batch.columns, target, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=target)


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_list(kind) and column.null_count:
        column = pc.coalesce(column, pa.scalar([], column.type))
    return pc.cast(column, kind)


def _arrow_type(field: dict[str, Any]) -> pa.DataType:
    """Source: cloud.google.com/bigquery/docs/reference/storage/rpc, Arrow schema details."""
    if field["mode"] == "REPEATED":
        return pa.list_(_arrow_type({**field, "mode": "NULLABLE"}))
    if field["type"] == "RECORD":
        return pa.struct([pa.field(inner["name"], _arrow_type(inner)) for inner in field["fields"]])
    return {
        "INTEGER": pa.int64(),
        "FLOAT": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "BYTES": pa.binary(),
        "DATE": pa.date32(),
        "TIME": pa.time64("us"),
        "DATETIME": pa.timestamp("us"),
        "TIMESTAMP": pa.timestamp("us", "UTC"),
        "NUMERIC": pa.decimal128(38, 9),
        "BIGNUMERIC": pa.decimal256(76, 38),
        "INTERVAL": pa.month_day_nano_interval(),
    }.get(field["type"], pa.string())


def rows_as_json(table: pa.Table, fields: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    """Rows as the REST API gives them, each value as text."""
    columns = [_cells(field, column.combine_chunks()) for field, column in zip(fields, table.columns, strict=True)]
    return [{"f": list(row)} for row in zip(*columns, strict=True)]


def _cells(field: dict[str, Any], column: Any) -> list[dict[str, Any]]:
    if field["mode"] == "NULLABLE" and field["type"] in ("INTEGER", "STRING", "JSON"):
        return [{"v": text} for text in pc.cast(column, pa.string()).to_pylist()]
    if field["mode"] == "NULLABLE" and field["type"] == "TIMESTAMP":
        micros = pc.cast(column, pa.timestamp("us", "UTC")).cast(pa.int64())
        return [{"v": text} for text in pc.cast(micros, pa.string()).to_pylist()]
    return [_cell(field, value) for value in column.to_pylist()]


def _cell(field: dict[str, Any], value: Any) -> dict[str, Any]:
    if field["mode"] == "REPEATED":
        return {"v": [_cell({**field, "mode": "NULLABLE"}, item) for item in value or ()]}
    if value is None:
        return {"v": None}
    if field["type"] == "RECORD":
        return {"v": {"f": [_cell(inner, value[inner["name"]]) for inner in field["fields"]]}}
    return {"v": _text(field["type"], value)}


def _text(kind: str, value: Any) -> str:
    if kind == "BOOLEAN":
        return "true" if value else "false"
    if kind == "FLOAT":
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), repr(value))
    if kind == "BYTES":
        return base64.b64encode(value).decode()
    if kind == "TIMESTAMP":
        return str(pa.scalar(value, pa.timestamp("us", "UTC")).value)
    if kind == "INTERVAL":
        months, seconds = abs(value.months), abs(value.nanoseconds) / 1_000_000_000
        clock = f"{int(seconds // 3600)}:{int(seconds // 60 % 60)}:{seconds % 60:g}"
        signs = "-" if value.months < 0 else "", "-" if value.nanoseconds < 0 else ""
        return f"{signs[0]}{months // 12}-{months % 12} {value.days} {signs[1]}{clock}"
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
