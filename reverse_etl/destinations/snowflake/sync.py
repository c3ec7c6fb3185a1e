"""Rows of a table of Snowflake."""

from __future__ import annotations

from typing import ClassVar

from reverse_etl.destinations._sql.sync import TableRows, TableSync


class Outgoing(TableRows):
    """Rows on their way to a table."""

    DESTINATION: ClassVar[str] = "snowflake"
    TITLE: ClassVar[str] = "Snowflake"
    MAX_COLUMNS: ClassVar[int] = 2_000
    """Source: Snowflake's limit for a table, docs.snowflake.com/en/sql-reference/sql/create-table."""


class Sync(Outgoing, TableSync):
    """One sync to a table."""
