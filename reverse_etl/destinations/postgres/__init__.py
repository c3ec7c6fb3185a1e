"""PostgreSQL as a destination: rows into a table that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.destinations._sql.kind import (
    as_sent,
    ask,
    ask_once,
    at_address,
    first_rows,
    forgets_after_s,
    identity,
    shape,
    shown,
)
from reverse_etl.destinations.postgres.config import Config
from reverse_etl.destinations.postgres.sync import Outgoing, Sync
from reverse_etl.errors import MissingDriverError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from reverse_etl.destinations.postgres.destination import PostgresTable
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
    "first_rows",
    "forgets_after_s",
    "identity",
    "open_destination",
    "shape",
    "shown",
    "steps",
]


def open_destination(
    sync: Outgoing,
    config: Config,
    columns: Sequence[str],
    *,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> AbstractAsyncContextManager[PostgresTable]:
    """The table, for one run of one sync. Raises MissingDriverError where psycopg is not installed."""
    _require_driver(config)
    from reverse_etl.destinations.postgres.destination import opened
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience, RetryPolicy

    patience = patience or Patience(RetryPolicy.from_environment(), name=config.label, clock=clock or Clock())
    return opened(config, sync.rows, columns, patience=patience)


def steps(config: Config) -> Iterator[Step]:
    """Connects and logs in. Raises MissingDriverError where psycopg is not installed."""
    _require_driver(config)
    from reverse_etl.destinations.postgres.connection_check import steps

    return steps(config)


def _require_driver(config: Config) -> None:
    try:
        import psycopg  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise MissingDriverError(
            f"{config.label}: the driver psycopg is not installed.", hint='Run: pip install "reverse-etl[postgres]"'
        ) from error
