"""The query of a sync: checked, given its last sync time, and the tables it reads. Nothing here asks a database.

How the text is read lives in ``config.statement``, so that ``validate`` finds the same problems as a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reverse_etl.config.sql_text import CHANGED, PLACEHOLDER, UNTIL
from reverse_etl.config.statement import read_statement
from reverse_etl.config.tables_read import tables_read as tables_read
from reverse_etl.sources.powers import EVERY_ROW

if TYPE_CHECKING:
    from reverse_etl.config.dialect import Dialect


NO_END: Final = 2_147_483_647
"""What ``{{until}}`` is where nothing ends: the greatest number that every engine takes for a time, in 2038."""


def check_query(sql: str, dialect: Dialect) -> list[str]:
    """Why a query may not run; empty when it may.

    It may when it is one statement that only reads, and has no placeholder but those that its engine knows.

    Args:
        sql: As written in the sync.
        dialect: The engine's.

    Returns:
        Sentences, each with the line of the query (from 1), such as
        ``line 2: unknown placeholder {{last_sync}}; did you mean {{last_sync_time}}?``
    """
    return [f"line {line}: {text}" for line, text in read_statement(sql, dialect).problems]


def render(sql: str, since: int, changed: str = EVERY_ROW, until: int = NO_END) -> str:
    """The query with its placeholders replaced, wherever they stand.

    Args:
        sql: As written in the sync.
        since: Unix seconds, for ``{{last_sync_time}}``.
        changed: A condition, for each ``{{changed: c}}``; its ``{table}`` becomes ``c``.
        until: Unix seconds, for ``{{until}}``.
    """
    timed = UNTIL.sub(str(until), PLACEHOLDER.sub(str(int(since)), sql))
    return CHANGED.sub(lambda match: changed.replace("{table}", match[1]), timed)


def output_columns(sql: str, dialect: Dialect) -> tuple[str, ...] | None:
    """Names of the result's columns, in order, or None where only the database knows (``*``, unnamed expressions)."""
    columns = read_statement(sql, dialect).columns
    return None if columns is None else tuple(column.name for column in columns)
