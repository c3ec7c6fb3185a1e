"""How a sync finds out what changed: the section ``changes`` of its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from reverse_etl.config.intervals import IntervalOrZero
from reverse_etl.config.model import YamlModel

DEFAULT_LATE: Final = timedelta(minutes=10)
"""How late a row may become visible where neither the server nor a file gives a time."""


class ChangesConfig(YamlModel):
    """How a run finds the rows that changed.

    Attributes:
        by: ``log``: by the keys that the database's log names; else as the query selects them.
        tables: With ``log``, the tables that the query reads, each with the column that holds the query's identifier.
        late: How long before the last sync time a query starts to read; None: as the database reports.
    """

    by: Literal["last_sync_time", "log"] = Field(
        default="last_sync_time",
        description="log: read only rows whose keys the database's log names (PostgreSQL).",
    )
    tables: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default={},
        description="With by: log, each table that the query reads with its column that holds the query's identifier.",
    )
    late: IntervalOrZero | None = Field(
        default=None,
        description="How far before the last sync time a query reads; 0s: from the last sync time itself. "
        "The database's when left out.",
    )

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Tables and the log go together."""
        by_log, tables = given.get("by") == "log", given.get("tables")
        if by_log and not tables:
            yield "by", "log needs the tables of the query beside it, as in `tables: {customers: id}`"
        if tables and not by_log:
            yield "tables", "goes with `by: log`"


def late_of(changes: ChangesConfig, database: timedelta | None) -> timedelta | None:
    """What was asked for: the sync's own ``late`` beats that of its database."""
    return database if changes.late is None else changes.late
