"""SQL Server's change tracking, in SQL: a number for each commit, and the primary keys that changed since one.

Source: learn.microsoft.com/sql/relational-databases/track-changes/work-with-change-tracking-sql-server, read 2026-11.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChangeTracking:
    """See ``_sql_log.LogSql``.

    Attributes:
        database: Its name, for what has to be granted.
        user: Who is logged in.
    """

    database: str
    user: str

    def about(self) -> str:
        return "SELECT DB_NAME() AS name"

    def place(self) -> str:
        return "SELECT CAST(CHANGE_TRACKING_CURRENT_VERSION() AS NVARCHAR(20)) AS version"

    def oldest(self, table: str) -> str:
        name = table.replace("'", "''")
        return f"SELECT CAST(CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'{name}')) AS NVARCHAR(20)) AS version"

    def keys(self, table: str, column: str, since: str, until: str) -> str:  # noqa: ARG002 - each key has one version
        quoted = column.replace("]", "]]")
        changes = f"CHANGETABLE(CHANGES {table}, {int(since):d}) AS c"
        return f"SELECT CAST(c.[{quoted}] AS NVARCHAR(4000)) AS [key] FROM {changes}"

    def is_before(self, place: str, other: str) -> bool:
        return int(place) < int(other)

    def missing(self, table: str) -> str:
        if not table:
            return (
                "The database does not track changes: "
                f"ALTER DATABASE [{self.database}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 7 DAYS)."
            )
        return (
            f"SQL Server tracks primary keys, and the column of {table} in changes.tables has to be a part of its key: "
            f"ALTER TABLE {table} ENABLE CHANGE_TRACKING; GRANT VIEW CHANGE TRACKING ON {table} TO [{self.user}]."
        )
