"""Snowflake, through its own connector: which account is read, as whom, with which role and warehouse.

Logging in is ``login``, queries run in ``session``. TLS is verified by the connector itself,
certificates' revocation included, always: there is no key for it. A company's own authority, for a proxy that opens
TLS, goes into REQUESTS_CA_BUNDLE.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.errors import MissingDriverError
from reverse_etl.sources.snowflake.account import DEFAULT_PORT as DEFAULT_PORT
from reverse_etl.sources.snowflake.account import Account

if TYPE_CHECKING:
    from reverse_etl.sources.base import Endpoint, Session

LAST_SYNC_TIME: Final = "TO_TIMESTAMP_NTZ({{last_sync_time}})"
COLUMNS: Final = (
    "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_schema <> 'INFORMATION_SCHEMA' ORDER BY table_schema, table_name, ordinal_position"
)
DRIVER: Final = "snowflake-connector-python"


class Config(Account, DatabaseConfig):
    """An account, a user who can only read, and where its queries run."""

    type: Literal["snowflake"] = Field(default="snowflake", description="The engine.")


@contextmanager
def connect(config: Config, *, name: str) -> Iterator[Session]:
    """Logs in, and makes sure that role, warehouse, database and schema are there.

    Raises:
        SourceUnavailableError: Snowflake cannot be reached or verified, or refuses the login.
        UnsetVariableError: A value comes from an environment variable that is not set.
        MissingDriverError: The connector is not installed.
    """
    where = f"database {name} (snowflake)"
    try:
        import snowflake.connector  # noqa: F401 - apart from what else may fail to import
    except ImportError as error:
        raise MissingDriverError(
            f"{where}: the driver snowflake-connector-python is not installed.",
            hint='Run: pip install "reverse-etl[snowflake]"',
        ) from error
    config.require_encrypted(where)
    from reverse_etl.sources.snowflake.login import log_in
    from reverse_etl.sources.snowflake.session import SnowflakeSession

    connection, messages = log_in(config, where)
    with closing(SnowflakeSession(connection, messages, timezone=config.timezone)) as session:
        yield session


def endpoint(config: Config) -> Endpoint:
    """Where the connector connects to, for ``test-connection``.

    Raises:
        UnsetVariableError: A value comes from an environment variable that is not set.
    """
    from reverse_etl.sources.snowflake.login import endpoint_of

    return endpoint_of(config)
