"""Rows of a table of ClickHouse."""

from __future__ import annotations

from typing import ClassVar

from reverse_etl.destinations._sql.sync import TableRows, TableSync


class Outgoing(TableRows):
    """Rows on their way to a table."""

    DESTINATION: ClassVar[str] = "clickhouse"
    TITLE: ClassVar[str] = "ClickHouse"
    MAX_COLUMNS: ClassVar[int] = 1_000
    """The server has no limit; each column is a file of each part."""


class Sync(Outgoing, TableSync):
    """One sync to a table."""

    VALUES: ClassVar[frozenset[str]] = frozenset({"rows"})
