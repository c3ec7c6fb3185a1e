"""How a sync finds out what changed: the section ``changes`` of its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from reverse_etl.config.intervals import Interval, IntervalOrZero
from reverse_etl.config.model import YamlModel

DEFAULT_LATE: Final = timedelta(minutes=10)
"""How late a row may become visible where neither the server nor a file gives a time."""


class ChangesConfig(YamlModel):
    """How a run finds the rows that changed.

    Attributes:
        by: ``log``: by the keys that the database's log names. ``compare``: of the rows that are read, only those are
            sent that differ from what was acknowledged. Else as the query selects
            them.
        tables: With ``log``, the tables that the query reads, each with the column that holds the query's identifier.
        late: How long before the last sync time a query starts to read; None: as the database reports.
        full_every: With ``compare``, at which age everything is sent again; None: never.
        keep: With ``compare`` or ``log``, for how long acknowledged values are kept that newer ones replaced; None:
            none are kept.
    """

    by: Literal["last_sync_time", "compare", "log"] = Field(
        default="last_sync_time",
        description="compare: send only rows that differ from what the destination acknowledged before. "
        "log: read only rows whose keys the database's log names (not Redshift, SQLite, DuckDB).",
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
    full_every: Interval | None = Field(
        default=None, description="With by: compare, send every row again after this time. Never when left out."
    )

    keep: Interval | None = Field(
        default=None,
        description="With by: compare or log, keep the values that the destination acknowledged for this time; `plan` "
        "then names the attributes that differ. Not kept when left out.",
    )

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What goes with one way alone."""
        by, tables = given.get("by"), given.get("tables")
        if by == "log" and not tables:
            yield "by", "log needs the tables of the query beside it, as in `tables: {customers: id}`"
        if tables and by != "log":
            yield "tables", "goes with `by: log`"
        if given.get("full_every") is not None and by != "compare":
            yield "full_every", "goes with `by: compare`: without it, every row that is read is sent"
        if given.get("keep") is not None and by not in ("compare", "log"):
            yield "keep", "goes with `by: compare` or `log`: else nothing of what was acknowledged is remembered"


def late_of(changes: ChangesConfig, database: timedelta | None) -> timedelta | None:
    """What was asked for: the sync's own ``late`` beats that of its database."""
    return database if changes.late is None else changes.late
