"""PostgreSQL as a destination: rows into a table that exists."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from reverse_etl.destinations.postgres.config import Config, Rows
from reverse_etl.errors import MissingDriverError

if TYPE_CHECKING:
    from reverse_etl.destinations.postgres.destination import PostgresTable
    from reverse_etl.destinations.retry import Patience

__all__ = ["Config", "Rows", "open_table"]


def open_table(
    config: Config, rows: Rows, columns: Sequence[str], *, patience: Patience
) -> AbstractAsyncContextManager[PostgresTable]:
    """A table, for one run of one sync. Nothing is asked or written before ``prepare``.

    Args:
        config: The server.
        rows: The table, and how rows get into it.
        columns: Those that the sync writes.
        patience: The run's retry budget.

    Raises:
        MissingDriverError: psycopg is not installed.
    """
    try:
        import psycopg  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise MissingDriverError(
            f"destination {config.name}: the driver psycopg is not installed.",
            hint='Run: pip install "reverse-etl[postgres]"',
        ) from error
    from reverse_etl.destinations.postgres.destination import opened

    return opened(config, rows, columns, patience=patience)
