"""Rows of a table of PostgreSQL."""

from __future__ import annotations

from typing import ClassVar

from reverse_etl.destinations._sql.sync import TableRows, TableSync


class Outgoing(TableRows):
    """Rows on their way to a table."""

    DESTINATION: ClassVar[str] = "postgres"
    TITLE: ClassVar[str] = "PostgreSQL"
    MAX_COLUMNS: ClassVar[int] = 1_600
    """Source: postgresql.org/docs/current/limits.html."""


class Sync(Outgoing, TableSync):
    """One sync to a table."""

    VALUES: ClassVar[frozenset[str]] = frozenset({"rows"})
