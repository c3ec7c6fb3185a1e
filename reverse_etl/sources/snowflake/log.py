"""Snowflake's CHANGES, in SQL: what changed in a table between two times, without a stream, which only writing moves.

Source: docs.snowflake.com/en/sql-reference/constructs/changes, read 2026-11.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

_OVERLAP: Final = timedelta(minutes=1)
"""The time of a statement and that of a commit are given by different machines: so far back is read again."""


class Changes:
    """See ``_sql_log.LogSql``."""

    def about(self) -> str:
        return "SELECT CURRENT_ACCOUNT() || ':' || CURRENT_DATABASE() AS name"

    def place(self) -> str:
        return "SELECT CURRENT_TIMESTAMP() AS at"

    def oldest(self, table: str) -> str:  # noqa: ARG002 - a table answers with an error
        return ""

    def keys(self, table: str, column: str, since: str, until: str) -> str:
        quoted = column if column.isidentifier() else f'"{column}"'
        begin = datetime.fromisoformat(since) - _OVERLAP
        return (
            f"SELECT DISTINCT TO_VARCHAR({quoted}) AS key FROM {table} CHANGES(INFORMATION => DEFAULT) "
            f"AT(TIMESTAMP => '{begin.isoformat()}'::TIMESTAMP_TZ) "
            f"END(TIMESTAMP => '{datetime.fromisoformat(until).isoformat()}'::TIMESTAMP_TZ)"
        )

    def is_before(self, place: str, other: str) -> bool:
        return datetime.fromisoformat(place) < datetime.fromisoformat(other)

    def missing(self, table: str) -> str:
        return (
            "The owner of the table has its changes kept, within the time that Time Travel covers: "
            f"ALTER TABLE {table} SET CHANGE_TRACKING = TRUE."
        )
