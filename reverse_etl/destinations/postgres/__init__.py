"""PostgreSQL as a destination: rows into a table that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.destinations.postgres.config import Config
from reverse_etl.destinations.postgres.sync import Outgoing, Sync
from reverse_etl.errors import MissingDriverError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    import pyarrow as pa

    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.destinations.first_sync import Asks, FirstRows
    from reverse_etl.destinations.postgres.destination import PostgresTable
    from reverse_etl.destinations.powers import AsSent
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


def at_address(config: Config) -> Recipient:
    """The database at its address. It is not asked: another one restored behind the same address is taken for it."""
    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.destinations.postgres.config import DEFAULT_PORT

    host, port = config.address(DEFAULT_PORT)
    return Recipient.at(host, str(port), config.database.resolve())


async def ask(config: Config, *, clock: Clock | None = None) -> Recipient:  # noqa: ARG001 - there is nothing to wait for
    """The same: it is known without asking."""
    return at_address(config)


async def ask_once(config: Config, *, clock: Clock | None = None) -> Recipient | None:  # noqa: ARG001 - likewise
    """The same."""
    return at_address(config)


def steps(config: Config) -> Iterator[Step]:
    """Connects and logs in. Raises MissingDriverError where psycopg is not installed."""
    _require_driver(config)
    from reverse_etl.destinations.postgres.connection_check import steps

    return steps(config)


def first_rows(asks: Asks) -> FirstRows:
    """The table and its key, asked of a person."""
    from reverse_etl.destinations.postgres.questions import first_rows

    return first_rows(asks)


def shown(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> list[bytes]:  # noqa: ARG001 - one of its streams
    """Each row as JSON, by column: what is compared with the table."""
    from reverse_etl.destinations.postgres.preview import shown

    return shown(batch)


def as_sent(batch: pa.RecordBatch, sync: Outgoing, stream: str) -> AsSent:  # noqa: ARG001 - it has one
    """The key of each row, and its values."""
    from reverse_etl.destinations.postgres.compared import as_sent

    return as_sent(batch, sync)


def identity(sync: Outgoing, stream: str) -> tuple[str, ...]:  # noqa: ARG001 - it has one
    """The table and its key."""
    return (sync.rows.table, *sync.rows.identify_by)


def shape(sync: Outgoing, stream: str) -> str:  # noqa: ARG001 - it has one
    """How rows are written."""
    return sync.rows.model_dump_json()


def forgets_after_s(sync: Outgoing, stream: str) -> int | None:  # noqa: ARG001 - rows may return
    """Never."""
    return None


def _require_driver(config: Config) -> None:
    try:
        import psycopg  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise MissingDriverError(
            f"{config.label}: the driver psycopg is not installed.", hint='Run: pip install "reverse-etl[postgres]"'
        ) from error
