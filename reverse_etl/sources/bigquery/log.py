"""BigQuery's CHANGES, in SQL: which rows of a table were added, changed or deleted between two times.

Source: cloud.google.com/bigquery/docs/reference/standard-sql/time-series-functions and its page on change history,
read 2026-11.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

_NOT_READABLE: Final = 10
"""Minutes: while CHANGES was in preview, it took no later end; so what is newer waits for the next run."""

_OVERLAP: Final = timedelta(minutes=1)
"""So that what lies between two places is never nothing, which may be refused."""

_LONGEST: Final = timedelta(days=1)
"""Between the two times of one CHANGES."""

_MOST: Final = 8
"""Of these cover the seven days of time travel; what is longer ago is left to be refused."""


@dataclass(frozen=True, slots=True)
class Changes:
    """See ``_sql_log.LogSql``.

    Attributes:
        project: The one that queries run in.
        dataset: Where tables without one are, with its project where that is another; empty for nowhere.
    """

    project: str
    dataset: str = ""

    def about(self) -> str:
        return f"SELECT {_literal(f'{self.project} {self.dataset}')} AS name"

    def place(self) -> str:
        return f"SELECT TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL {_NOT_READABLE} MINUTE) AS at"

    def oldest(self, table: str) -> str:
        """When the table was made: of one that had its name before, nothing is known."""
        dataset, _, name = table.replace("`", "").rpartition(".")
        if not (dataset or self.dataset):
            return ""
        return (
            f"SELECT MAX(creation_time) AS at FROM {_name(dataset or self.dataset)}.INFORMATION_SCHEMA.TABLES "
            f"WHERE table_name = {_literal(name)}"
        )

    def keys(self, table: str, column: str, since: str, until: str) -> str:
        begin, end = datetime.fromisoformat(since) - _OVERLAP, datetime.fromisoformat(until)
        edges = [end]
        while edges[-1] - begin > _LONGEST and len(edges) < _MOST:
            edges.append(edges[-1] - _LONGEST)
        windows = pairwise([begin, *reversed(edges)])
        rows = " UNION ALL ".join(
            f"SELECT {_name(column)} AS key FROM CHANGES(TABLE {_name(table)}, {_time(start)}, {_time(stop)})"
            for start, stop in windows
        )
        return f"SELECT DISTINCT CAST(key AS STRING) AS key FROM ({rows})"

    def is_before(self, place: str, other: str) -> bool:
        return datetime.fromisoformat(place) < datetime.fromisoformat(other)

    def missing(self, table: str) -> str:
        return (
            "The owner of the table has its changes kept, within the seven days of time travel: "
            f"ALTER TABLE {_name(table)} SET OPTIONS (enable_change_history = TRUE)."
        )


def _name(written: str) -> str:
    return f"`{written.replace('`', '')}`"


def _time(at: datetime) -> str:
    return f"TIMESTAMP '{at.isoformat(sep=' ')}'"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
