"""The first query of a sync, as ``init`` writes it: in the words of its database, filtered as the time column needs."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Final

from reverse_etl.cli.init_tables import bare_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reverse_etl.config.connections import DatabaseConfig
    from reverse_etl.sources.base import Session

_NUMBERS: Final = re.compile(r"(?:(?:big|small|tiny|medium|huge|u|byte)*int|number|numeric|decimal|double|float|real)")
_UNITS: Final = ((10**14, " * 1000000"), (10**11, " * 1000"))
"""From which number on it counts microseconds, or milliseconds: as seconds, the first year would be 5138."""
_VALUES: Final = 16


def first_query(engine: str, table: str, named: Mapping[str, str], changed: str, bound: str) -> str:
    """The query in the engine's dialect.

    Args:
        engine: The database's type.
        table: As a query spells it.
        named: The table's columns, by the name that the query gives each.
        changed: The column with the time of the last change; empty where every run reads all.
        bound: What it is compared with.
    """
    from sqlglot import Dialect, exp

    from reverse_etl import sources

    dialect = Dialect.get_or_raise(sources.engine(engine).DIALECT.name)
    columns = []
    for name, column in named.items():
        # An engine that folds the case of a plain name needs it quoted.
        folded = dialect.normalize_identifier(exp.to_identifier(name)).name != name
        alias = exp.to_identifier(name, quoted=folded).sql(dialect)
        columns.append(column if bare_name(column) == name and not folded else f"{column} AS {alias}")
    lines = [f"SELECT {', '.join(columns)}", f"FROM {table}"]
    if changed:
        lines.append(f"WHERE {changed} >= {bound}")
    return "\n".join(lines) + "\n"


def refusal(database: DatabaseConfig, query: str) -> str:
    """Why a query of one column cannot be run, a sentence; empty where it can."""
    from reverse_etl import sources
    from reverse_etl.errors import ReverseEtlError

    try:
        with sources.connect(database) as session, closing(session.stream(query, limit=1)) as batches:
            columns = next(batches).num_columns
    except ReverseEtlError as error:
        return str(error)
    return "" if columns == 1 else "That is more than one column: type one."


def bound_of(database: DatabaseConfig, session: Session, table: str, column: str, declared: str) -> tuple[str, str]:
    """What the time column is compared with so that only what changed is read.

    Args:
        database: The connection.
        session: An open session of it.
        table: As a query spells it.
        column: A column of it, or an expression.
        declared: The column's type as the database declares it; empty where it is not known.

    Returns:
        SQL with ``{{last_sync_time}}``, empty where no comparison tells what changed; and what is worth saying about
        it, a sentence or nothing.
    """
    from reverse_etl import sources
    from reverse_etl.changeset.number_for_time import first_values, kind_of
    from reverse_etl.changeset.query import render
    from reverse_etl.config.dialect import NUMBER

    source = sources.engine(database.type)
    dialect = source.DIALECT
    if dialect.typed_columns and (bound := dialect.bound(declared, database.timezone)):
        is_null = f"SELECT CASE WHEN {render(bound, 1)} IS NULL THEN 1 ELSE 0 END AS v"
        if database.timezone == "UTC" or first_values(session, is_null) == [0]:
            return bound, ""
        # Compared with null, no row would ever be read: MySQL without its tables of time zones.
        return "", f"The database cannot convert a time to {database.timezone}: load its time zones, then init again."
    query = f"SELECT {column} AS v FROM {table} WHERE {column} IS NOT NULL"
    values = first_values(session, query, limit=_VALUES)
    kind = kind_of(values)
    if kind == NUMBER:
        least = min(value for value in values if isinstance(value, int | float))
        return dialect.bound(NUMBER) + next((unit for limit, unit in _UNITS if least > limit), ""), ""
    if kind:
        return dialect.bound(kind), ""
    if any(isinstance(value, str) for value in values):
        told = f"{column} has texts that do not sort by time, as 2026-11-28 13:00:00 does: no filter fits it."
        return "", told
    if not values and dialect.typed_columns and _NUMBERS.match(declared.lower()):
        return dialect.bound(NUMBER), ""
    if not values and dialect.compares_anything:
        told = f"{column} has no value yet that shows whether times are text or numbers: validate tells, once it has."
        return source.LAST_SYNC_TIME, told
    return source.LAST_SYNC_TIME, ""
