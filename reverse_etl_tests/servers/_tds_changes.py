"""Change tracking for the TDS counterpart: its functions as values, its table function as rows.

As in SQL Server, a version that was cleaned up is asked for without an error, and what is not tracked has one.
Source: learn.microsoft.com/sql/relational-databases/system-functions/changetable-transact-sql, read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from reverse_etl_tests.servers._tds_sql import RefusedError

_CURRENT = re.compile(r"CHANGE_TRACKING_CURRENT_VERSION\(\)")
_OLDEST = re.compile(r"CHANGE_TRACKING_MIN_VALID_VERSION\(OBJECT_ID\(N'([^']+)'\)\)")
_CHANGES = re.compile(r"CHANGETABLE\(CHANGES ([\w.]+), (\d+)\) AS c")


@dataclass(slots=True)
class Tracked:
    """A tracked table.

    Attributes:
        key: The column of its primary key.
        oldest: The oldest version that is kept.
        versions: By key, the version that changed it last.
    """

    key: str
    oldest: int = 0
    versions: dict[str, int] = field(default_factory=dict)


def with_change_tracking(sql: str, version: int | None, tables: Mapping[str, Tracked]) -> str:
    """A batch in which the database's tracking is values; None where it is off.

    Raises:
        RefusedError: The table is not tracked.
    """

    def changes(match: re.Match[str]) -> str:
        table = tables.get(match[1])
        if table is None:
            raise RefusedError(22105, f"Change tracking is not enabled on table '{match[1]}'.")
        rows = [f"('{key}', {number})" for key, number in table.versions.items() if number > int(match[2])]
        values = ", ".join(rows) or "(NULL, 0)"
        return f"(SELECT * FROM (VALUES {values}) AS v({table.key}, version) WHERE version > 0) AS c"

    sql = _CURRENT.sub("NULL" if version is None else str(version), sql)
    sql = _OLDEST.sub(lambda match: str(tables[match[1]].oldest) if match[1] in tables else "NULL", sql)
    return _CHANGES.sub(changes, sql)
