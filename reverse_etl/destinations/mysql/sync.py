"""Rows of a table of MySQL or MariaDB."""

from __future__ import annotations

from typing import ClassVar

from reverse_etl.destinations._sql.sync import TableRows, TableSync


class Outgoing(TableRows):
    """Rows on their way to a table."""

    DESTINATION: ClassVar[str] = "mysql"
    TITLE: ClassVar[str] = "MySQL"
    MAX_COLUMNS: ClassVar[int] = 1_017
    """Source: dev.mysql.com/doc/refman/8.4/en/innodb-limits.html."""


class Sync(Outgoing, TableSync):
    """One sync to a table."""

    VALUES: ClassVar[frozenset[str]] = frozenset({"rows"})
