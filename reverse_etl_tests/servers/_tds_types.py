"""The types of columns: what a query in Transact-SQL calls them, in DuckDB, and on the wire."""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.dialects.tsql import TSQL
from sqlglot.expressions import DataType

from reverse_etl_tests.servers._tds_tokens import MAX, Type

_NO_PARAMETERS = frozenset(
    {
        "TEXT",
        "NVARCHAR",
        "VARCHAR",
        "NCHAR",
        "CHAR",
        "VARBINARY",
        "BINARY",
        "TIME",
        "TIMESTAMP",
        "TIMESTAMPTZ",
        "DATETIME2",
    }
)


def types_of(columns: list[str], kinds: list[str], declared: tuple[Type | None, ...]) -> list[Type]:
    """The type of each column on the wire: what the query calls it, otherwise what DuckDB's type is here."""
    if len(declared) != len(columns):
        declared = (None,) * len(columns)
    return [own or _of_duckdb(kind) for own, kind in zip(declared, kinds, strict=True)]


def without_real(sql: str) -> str:
    """REAL spelled FLOAT(24): sqlglot keeps no difference between REAL and FLOAT."""
    for token in reversed(TSQL().tokenize(sql)):
        if token.text.upper() == "REAL" and sql[token.start : token.end + 1].upper() == "REAL":
            sql = f"{sql[: token.start]}FLOAT(24){sql[token.end + 1 :]}"
    return sql


def duckdb_type(kind: exp.DataType) -> exp.DataType:
    word = kind.this.value if isinstance(kind.this, DataType.Type) else ""
    if word == "FLOAT":
        single = kind.expressions and int(kind.expressions[0].name) <= 24
        return DataType.build("REAL" if single else "DOUBLE", dialect="duckdb")
    if word in {"MONEY", "SMALLMONEY"}:
        return DataType.build("DECIMAL(19, 4)", dialect="duckdb")
    if word == "BIT":
        return DataType.build("BOOLEAN", dialect="duckdb")
    if word in {"SMALLDATETIME", "DATETIME", "DATETIME2"}:
        return DataType.build("TIMESTAMP", dialect="duckdb")
    if word == "XML":
        return DataType.build("TEXT", dialect="duckdb")
    if word in _NO_PARAMETERS and kind.expressions:
        return DataType(this=kind.this, nested=False)
    return kind


def declared_type(column: exp.Expr) -> Type | None:
    """The type that a column of the outermost SELECT is cast to, through an alias and CASE."""
    column = column.unalias()
    if isinstance(column, exp.Case):
        return declared_type(column.args["ifs"][0].args["true"])
    if isinstance(column, exp.Literal) and column.is_string:
        return Type("BIGVARCHAR", max(1, len(column.name))) if len(column.name) <= 8000 else None
    if isinstance(column, exp.National):
        return Type("NVARCHAR", max(1, len(column.name.encode("utf-16-le")) // 2)) if len(column.name) <= 2000 else None
    if not isinstance(column, exp.Cast) or not isinstance(column.to.this, DataType.Type):
        return None
    return _named(column.to.this.value, [part.name for part in column.to.expressions])


def _named(word: str, parameters: list[str]) -> Type | None:
    size = 30 if not parameters else MAX if parameters[0].upper() == "MAX" else int(parameters[0])
    scale = int(parameters[0]) if parameters and parameters[0].isdigit() else 7
    fixed = {
        "UTINYINT": Type("INTN", 1),
        "SMALLINT": Type("INTN", 2),
        "INT": Type("INTN", 4),
        "BIGINT": Type("INTN", 8),
        "FLOAT": Type("FLTN", 4 if parameters and scale <= 24 else 8),
        "MONEY": Type("MONEYN", 8),
        "SMALLMONEY": Type("MONEYN", 4),
        "DATETIME": Type("DATETIMN", 8),
        "SMALLDATETIME": Type("DATETIMN", 4),
        "TEXT": Type("BIGVARCHAR", MAX),
        "XML": Type("NVARCHAR", MAX),
        "NVARCHAR": Type("NVARCHAR", size),
        "VARCHAR": Type("BIGVARCHAR", size),
        "NCHAR": Type("NCHAR", size),
        "CHAR": Type("BIGCHAR", size),
        "VARBINARY": Type("BIGVARBIN", size),
        "BINARY": Type("BIGBINARY", size),
        "TIME": Type("TIMEN", scale=scale),
        "DATETIME2": Type("DATETIME2N", scale=scale),
        "TIMESTAMP": Type("DATETIME2N", scale=scale),
        "TIMESTAMPTZ": Type("DATETIMEOFFSETN", scale=scale),
        "UUID": Type("GUID", 16),
        "UNIQUEIDENTIFIER": Type("GUID", 16),
        "VARIANT": Type("SSVARIANT", 8009),
    }
    return fixed.get(word)


_OF_DUCKDB = {
    "BOOLEAN": Type("BITN", 1),
    "TINYINT": Type("INTN", 2),
    "UTINYINT": Type("INTN", 1),
    "SMALLINT": Type("INTN", 2),
    "USMALLINT": Type("INTN", 4),
    "INTEGER": Type("INTN", 4),
    '"NULL"': Type("INTN", 4),
    "UINTEGER": Type("INTN", 8),
    "BIGINT": Type("INTN", 8),
    "UBIGINT": Type("DECIMALN", 17, 20, 0),
    "HUGEINT": Type("DECIMALN", 17, 38, 0),
    "FLOAT": Type("FLTN", 4),
    "DOUBLE": Type("FLTN", 8),
    "DATE": Type("DATEN"),
    "TIME": Type("TIMEN", scale=7),
    "TIMESTAMP": Type("DATETIME2N", scale=7),
    "TIMESTAMP WITH TIME ZONE": Type("DATETIMEOFFSETN", scale=7),
    "UUID": Type("GUID", 16),
    "BLOB": Type("BIGVARBIN", MAX),
    "VARCHAR": Type("NVARCHAR", MAX),
}


def _of_duckdb(kind: str) -> Type:
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind)
    if decimal:
        return Type("NUMERICN", 17, int(decimal[1]), int(decimal[2]))
    if kind not in _OF_DUCKDB:
        raise NotImplementedError(f"no type for DuckDB's {kind}")
    return _OF_DUCKDB[kind]
