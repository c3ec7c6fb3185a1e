"""PostgreSQL, through psycopg 3: who is connected to, and how safely.

Queries run in ``session``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from reverse_etl.config.connections import ServerConfig
from reverse_etl.errors import MissingDriverError, SourceUnavailableError
from reverse_etl.sources.postgres.start import ask_for_tls as ask_for_tls

if TYPE_CHECKING:
    from reverse_etl.sources.base import Session

LAST_SYNC_TIME: Final = "to_timestamp({{last_sync_time}})"
COLUMNS: Final = (
    "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY table_schema, table_name, ordinal_position"
)
KEYS: Final = (
    "SELECT n.nspname::text, c.relname::text, a.attname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey) "
    "WHERE i.indisprimary AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
)
"""Of ``pg_index``, as ``information_schema`` shows constraints to those alone who may write."""
DRIVER: Final = "psycopg"
DEFAULT_PORT: Final = 5432


class Config(ServerConfig):
    """A PostgreSQL server, or anything that speaks its protocol in full."""

    type: Literal["postgres"] = Field(default="postgres", description="The engine.")


@contextmanager
def connect(config: Config, *, name: str) -> Iterator[Session]:
    """Logs in. Without a password, libpq looks for one where it always does (``~/.pgpass``).

    Raises:
        SourceUnavailableError: The server cannot be reached, verified or logged in to.
        UnsetVariableError: A value comes from an environment variable that is not set.
        MissingDriverError: psycopg is not installed.
    """
    where = f"database {name} (postgres)"
    try:
        import psycopg
    except ImportError as error:
        raise MissingDriverError(
            f"{where}: the driver psycopg is not installed.", hint='Run: pip install "reverse-etl[postgres]"'
        ) from error
    from reverse_etl.sources.postgres.errors import Messages
    from reverse_etl.sources.postgres.login import connection_parameters, facts
    from reverse_etl.sources.postgres.session import PostgresSession

    if config.ca_file is not None and not config.ca_file.is_file():
        raise SourceUnavailableError(
            f"{where}: there is no file {config.ca_file}.", hint="Check `ca_file`, a PEM file with the authority."
        )
    parameters = connection_parameters(config, most_s=config.query_timeout.total_seconds())
    messages = Messages(where, facts(config, parameters), config.query_timeout)
    try:
        connection = psycopg.connect(**parameters, autocommit=True)
    except psycopg.Error as error:
        raise messages.login(error) from None
    with closing(PostgresSession(connection, messages, timezone=config.timezone)) as session:
        yield session
