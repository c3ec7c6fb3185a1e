"""A query asked for some of its rows: as a table of which those are picked whose identifier is one of these."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from reverse_etl.config.sql_text import one_statement
from reverse_etl.config.statement import quiet_sqlglot
from reverse_etl.sources.base import logical_type

if TYPE_CHECKING:
    from reverse_etl.config.dialect import Dialect

_UNQUOTABLE: Final = re.compile(r"[\\\x00-\x1f\x7f]")
"""Characters that one engine or another does not take as they are between quotes."""

_INTEGER: Final = re.compile(r"-?[0-9]{1,38}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,38})?")
_MOST_DIGITS: Final = 38
"""Digits of the widest exact number that most engines have."""

_INT64: Final = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Condition:
    """What picks rows.

    Attributes:
        sql: A condition; empty where no row is to be asked for with one.
        exact: Whether a row that it does not find is not there. More rows than were asked for may be found.
    """

    sql: str
    exact: bool


def picked(sql: str, condition: str, dialect: Dialect) -> str:
    """The query as a table ``q`` of which only the rows that meet a condition are read."""
    before, table = as_table(sql, dialect)
    return f"{before}SELECT * FROM {table} WHERE {condition}"


def as_table(sql: str, dialect: Dialect) -> tuple[str, str]:
    """The query as a table ``q``, and before it what has to begin the statement; may be empty."""
    before, table = "", one_statement(sql, dialect)
    if dialect.bare_subqueries:
        before, table = _bare(table, dialect)
    # The line break ends a comment on the query's last line.
    return before, f"(\n{table}\n) AS q"


def column_of(name: str, dialect: Dialect) -> str:
    """A column of that table, as its result spells it."""
    from sqlglot import exp

    return f"q.{exp.to_identifier(name, quoted=True).sql(dialect=dialect.name)}"


def _bare(text: str, dialect: Dialect) -> tuple[str, str]:
    """Its WITH, and the rest without ORDER BY and OPTION; the whole query as the rest where it cannot be read."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        with quiet_sqlglot():
            tree = parse_one(text, read=dialect.name)
            names = tree.args.get("with_")
            tree.set("with_", None)
            tree.set("options", None)
            if not (tree.args.get("limit") or tree.args.get("offset")):
                tree.set("order", None)
            before = f"{names.sql(dialect=dialect.name)} " if isinstance(names, exp.With) else ""
            return before, tree.sql(dialect=dialect.name)
    except (SqlglotError, RecursionError):
        return "", text


def condition(column: str, identifiers: Sequence[str], field: pa.Field, dialect: Dialect) -> Condition:
    """A condition that the column's own type understands.

    Args:
        column: The identifier's column, as the result spells it.
        identifiers: As ``changeset.text.as_text`` makes them.
        field: The column in the query's result; of type null where only its rows show the type.
        dialect: The database's.
    """
    name = column_of(column, dialect)
    kind, mark = field.type, logical_type(field)
    quotable = [value for value in identifiers if not _UNQUOTABLE.search(value)]
    exact = len(quotable) == len(identifiers)
    if pa.types.is_integer(kind) or mark == "decimal":
        # Whatever is no number is in no such column.
        numbers = [value for value in identifiers if _NUMBER.fullmatch(value)]
        if pa.types.is_integer(kind) and dialect.whole_integers:
            numbers = [value for value in numbers if _INTEGER.fullmatch(value)]
        values = [number_literal(value, dialect, decimal=mark == "decimal") for value in numbers]
        exact = all(_NUMBER.fullmatch(value) or len(value) <= _MOST_DIGITS for value in identifiers)
    elif pa.types.is_floating(kind):
        values = [value for value in identifiers if _NUMBER.fullmatch(value)]
        exact = False
    elif pa.types.is_string(kind) and mark != "json":
        values = [text_literal(value, dialect) for value in quotable]
    elif mark == "json" and dialect.typed_columns:
        # 5, 5.0 and "5" are one identifier: what finds one row of it may miss another.
        values, exact = [], False
    elif not dialect.typed_columns:
        numbers = [value for value in identifiers if _NUMBER.fullmatch(value)]
        values = [literal for number in numbers for literal in _either_number(number)]
        values += [text_literal(value, dialect) for value in quotable]
        exact = exact and all(len(value) <= _MOST_DIGITS for value in identifiers)
    else:
        name = f"CAST({name} AS {dialect.text_type})"
        values = [text_literal(value, dialect) for value in quotable]
        exact = False
    return Condition(f"{name} IN ({', '.join(values)})" if values else "", exact)


def number_literal(value: str, dialect: Dialect, *, decimal: bool) -> str:
    """A number as the engine takes it without losing digits."""
    if dialect.exact_number and (decimal or int(value) not in _INT64):
        return dialect.exact_number.format(value)
    return value


def _either_number(value: str) -> list[str]:
    """The integer, where it is one of 64 bits, and the float: compared exactly, they differ beyond 53 bits."""
    integers = [value] if _INTEGER.fullmatch(value) and int(value) in _INT64 else []
    return [*integers, value if "." in value else f"{value}.0"]


def text_literal(value: str, dialect: Dialect) -> str:
    """A text between quotes, of characters that each engine takes as they are."""
    national = dialect.national if not value.isascii() else ""
    return f"{national}'{value.replace(chr(39), dialect.quote)}'"
