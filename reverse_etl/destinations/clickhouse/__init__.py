"""ClickHouse as a destination: rows into a table that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.destinations._sql.kind import (
    as_sent,
    ask,
    ask_once,
    at_address,
    cleared,
    first_rows,
    forgets_after_s,
    identity,
    keys_like,
    lasting,
    overwrites,
    patience_of,
    require_driver,
    rows_of,
    shape,
    shown,
    shown_text,
)
from reverse_etl.destinations.clickhouse.config import Config
from reverse_etl.destinations.clickhouse.sync import Outgoing, Sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from reverse_etl.destinations.clickhouse.destination import ClickhouseTable
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience
    from reverse_etl.report import Step

__all__ = [
    "Config",
    "Outgoing",
    "Sync",
    "as_sent",
    "ask",
    "ask_once",
    "at_address",
    "cleared",
    "first_rows",
    "forgets_after_s",
    "identity",
    "keys_like",
    "lasting",
    "open_destination",
    "overwrites",
    "rows_of",
    "shape",
    "shown",
    "shown_text",
    "steps",
    "tables",
]


def open_destination(
    sync: Outgoing,
    config: Config,
    columns: Sequence[str],
    *,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> AbstractAsyncContextManager[ClickhouseTable]:
    """The table, for one run of one sync. Raises MissingDriverError where clickhouse-connect is not installed."""
    require_driver(config, "clickhouse_connect")
    from reverse_etl.destinations._sql.table import opened
    from reverse_etl.destinations.clickhouse.destination import ClickhouseTable

    table = ClickhouseTable(config, sync.rows, columns, patience=patience or patience_of(config, clock))
    return opened(table)


def steps(config: Config) -> Iterator[Step]:
    """Connects and logs in. Raises MissingDriverError where clickhouse-connect is not installed."""
    require_driver(config, "clickhouse_connect")
    from reverse_etl.destinations.clickhouse.connection_check import steps

    return steps(config)


def tables(config: Config) -> dict[str, list[str]]:
    """The columns of each table that is there. Raises DestinationError, MissingDriverError, UnsetVariableError."""
    require_driver(config, "clickhouse_connect")
    from reverse_etl.destinations.clickhouse.listing import tables

    return tables(config)
