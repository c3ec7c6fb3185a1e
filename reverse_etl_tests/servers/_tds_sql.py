"""Transact-SQL for the TDS counterpart: read by sqlglot, answered by DuckDB, refused with SQL Server's own numbers.

What is refused and how messages are worded follows SQL Server 2022; what DuckDB does differently stays DuckDB's
(collations, rounding, the order of unordered rows).
Source: learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors, read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from reverse_etl_tests.servers._tds_tokens import HALF_PAIR, Type
from reverse_etl_tests.servers._tds_types import declared_type, duckdb_type, without_real

VERSION = (16, 0, 4135)
VERSION_TEXT = "16.0.4135.4"


@dataclass(frozen=True, slots=True)
class RefusedError(Exception):
    """An ERROR of the server: its number, text and severity."""

    number: int
    text: str
    severity: int = 16


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement for DuckDB.

    Attributes:
        sql: In DuckDB's words.
        returns_rows: Whether it has a result.
        declared: What the query itself calls the type of each column; None where it does not say.
    """

    sql: str
    returns_rows: bool
    declared: tuple[Type | None, ...]


def statements(
    sql: str,
    facts: Mapping[str, str],
    *,
    hidden: frozenset[str],
    may_write: bool,
    schemas: frozenset[str] | None,
) -> list[Statement]:
    """A batch, parsed.

    Args:
        sql: Transact-SQL.
        facts: What functions and ``@@`` variables of the server give, as DuckDB expressions, by upper-case name.
        hidden: Tables that the login may not read.
        may_write: Whether it may change the others.
        schemas: Where it may read; everywhere when None.

    Raises:
        RefusedError: It cannot be parsed, or something in it is not permitted.
    """
    first = re.match(r"\s*([A-Za-z_]\w*)", sql)
    if first and first[1].upper() not in _FIRST_WORDS:
        raise RefusedError(2812, f"Could not find stored procedure '{first[1]}'.")
    try:
        trees = [tree for tree in parse(without_real(sql), read="tsql") if tree is not None]
    except SqlglotError as error:
        near = re.search(r"\x1b\[4m(.*?)\x1b\[0m", str(error), re.DOTALL)
        raise RefusedError(102, f"Incorrect syntax near '{near[1] if near else sql[-10:]}'.", 15) from None
    for tree in trees:
        _require_permission(tree, hidden, may_write=may_write, schemas=schemas)
    return [_statement(tree, facts) for tree in trees]


def refused(error: duckdb.Error) -> RefusedError:
    """What SQL Server says where DuckDB says this."""
    text = str(error)
    name = re.search(r'(?:name|column|function)\s+"?([^"\s]+?)"?(?: does not exist| not found)', text)
    if isinstance(error, duckdb.CatalogException):
        if "Function" in text:
            return RefusedError(195, f"'{name[1] if name else '?'}' is not a recognized built-in function name.", 15)
        return RefusedError(208, f"Invalid object name '{name[1] if name else '?'}'.")
    if isinstance(error, duckdb.BinderException):
        if name:
            return RefusedError(207, f"Invalid column name '{name[1]}'.")
        if "Cannot compare values" in text and ("TIMESTAMP" in text or "DATE" in text):
            return RefusedError(206, "Operand type clash: datetime2 is incompatible with int")
        return RefusedError(8120, "Column is invalid in the select list.")
    if isinstance(error, duckdb.ParserException):
        near = re.search(r'near "(.*?)"', text)
        return RefusedError(102, f"Incorrect syntax near '{near[1] if near else '?'}'.", 15)
    return refused_while_reading(text)


def refused_while_reading(text: str) -> RefusedError:
    """The same for an error among the rows."""
    if "Conversion Error" in text:
        value = re.search(r"string '(.*?)'", text)
        if value:
            return RefusedError(
                245, f"Conversion failed when converting the varchar value '{value[1]}' to data type int."
            )
        return RefusedError(8115, "Arithmetic overflow error converting expression to data type int.")
    return RefusedError(50000, text.splitlines()[0])


_FIRST_WORDS = frozenset(
    {
        "SELECT",
        "WITH",
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "CREATE",
        "DROP",
        "ALTER",
        "TRUNCATE",
        "COMMIT",
        "ROLLBACK",
        "DECLARE",
        "EXEC",
        "EXECUTE",
    }
)
_WRITES = {exp.Insert: "INSERT", exp.Update: "UPDATE", exp.Delete: "DELETE", exp.Merge: "UPDATE"}
_DEFINES = (exp.Create, exp.Drop, exp.Alter, exp.TruncateTable)


def _require_permission(
    tree: exp.Expr, hidden: frozenset[str], *, may_write: bool, schemas: frozenset[str] | None
) -> None:
    if isinstance(tree, exp.Execute | exp.Command):
        raise RefusedError(2812, "Could not find stored procedure.")
    if not may_write:
        if isinstance(tree, _DEFINES) or (tree.args.get("into") is not None and isinstance(tree, exp.Select)):
            raise RefusedError(262, "CREATE TABLE permission denied in database 'shop'.", 14)
        for kind, word in _WRITES.items():
            if isinstance(tree, kind):
                table = tree.find(exp.Table)
                raise _denied(word, table)
    for table in tree.find_all(exp.Table):
        schema = table.db or "dbo"
        if table.name in hidden or (
            schemas is not None and schema not in {*schemas, "sys", "dbo" if not table.name else ""}
        ):
            raise _denied("SELECT", table)


def _statement(tree: exp.Expr, facts: Mapping[str, str]) -> Statement:
    into = isinstance(tree, exp.Select) and tree.args.get("into") is not None
    if isinstance(tree, exp.Query):
        _require_no_loose_order(tree)
    declared = tuple(declared_type(column) for column in tree.selects) if isinstance(tree, exp.Query) else ()
    translated = tree.copy().transform(_translated, facts)
    returning = tree.args.get("returning")
    if returning is not None:
        translated.set("returning", returning.transform(_without_pseudo_table))
    returns_rows = (isinstance(tree, exp.Query) and not into) or returning is not None
    return Statement(translated.sql(dialect="duckdb"), returns_rows, declared)


def _denied(word: str, table: exp.Table | None) -> RefusedError:
    name, schema = (table.name, table.db or "dbo") if table else ("?", "dbo")
    text = f"The {word} permission was denied on the object '{name}', database 'shop', schema '{schema}'."
    return RefusedError(229, text, 14)


def _require_no_loose_order(tree: exp.Query) -> None:
    """SQL Server takes ORDER BY inside a derived table only together with TOP or OFFSET."""
    for inner in tree.find_all(exp.Subquery, exp.CTE):
        query = inner.this
        if (
            isinstance(query, exp.Query)
            and query.args.get("order")
            and not (query.args.get("limit") or query.args.get("offset"))
        ):
            text = (
                "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common "
                "table expressions, unless TOP, OFFSET or FOR XML is also specified."
            )
            raise RefusedError(1033, text, 15)


def _without_pseudo_table(node: exp.Expr) -> exp.Expr:
    """``deleted.secret`` of OUTPUT is ``secret`` of RETURNING."""
    return exp.column(node.name) if isinstance(node, exp.Column) else node


def _translated(node: exp.Expr, facts: Mapping[str, str]) -> exp.Expr:
    if isinstance(node, exp.National):
        return exp.Literal.string(node.this)
    if isinstance(node, exp.Anonymous) and node.name.upper() == "NCHAR":
        return exp.Literal.string(HALF_PAIR)
    if isinstance(node, exp.Parameter) and isinstance(node.this, exp.Parameter):
        return _fact(f"@@{node.this.name}", facts)
    if isinstance(node, exp.CurrentTimestamp):
        return _fact("SYSDATETIME()", facts)
    if isinstance(node, exp.Anonymous) and node.name.upper() in _FUNCTIONS:
        argument = node.expressions[-1].name.upper() if node.expressions else ""
        return _fact(f"{node.name.upper()}({argument})", facts)
    if isinstance(node, exp.Cast) and node.to.is_type("timestamptz") and isinstance(node.this, exp.Literal):
        # DuckDB takes no blank before the offset.
        node.this.set("this", re.sub(r" ([+-]\d\d:\d\d)$", r"\1", node.this.name))
    if isinstance(node, exp.Cast) and node.to.is_type("variant"):
        return node.this.transform(_translated, facts)
    if isinstance(node, exp.DataType):
        return duckdb_type(node)
    return node


_FUNCTIONS = frozenset({"SYSUTCDATETIME", "DB_NAME", "SERVERPROPERTY", "DATABASEPROPERTYEX", "APP_NAME", "SUSER_SNAME"})


def _fact(name: str, facts: Mapping[str, str]) -> exp.Expr:
    if name not in facts:
        raise RefusedError(195, f"'{name}' is not a recognized built-in function name.", 15)
    return exp.maybe_parse(facts[name], dialect="duckdb")
