"""Snowflake, through its own connector: which account is read, as whom, with which role and warehouse.

Logging in is ``login``, queries run in ``session``. TLS is verified by the connector itself,
certificates' revocation included, always: there is no key for it. A company's own authority, for a proxy that opens
TLS, goes into REQUESTS_CA_BUNDLE.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from reverse_etl.config.connections import DatabaseConfig, PathBesideFile, insecure
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.intervals import Interval
from reverse_etl.errors import ConfigError, MissingDriverError

if TYPE_CHECKING:
    from reverse_etl.sources.base import Endpoint, Session

LAST_SYNC_TIME: Final = "TO_TIMESTAMP_NTZ({{last_sync_time}})"
COLUMNS: Final = (
    "SELECT table_schema, table_name, column_name FROM information_schema.columns "
    "WHERE table_schema <> 'INFORMATION_SCHEMA' ORDER BY table_schema, table_name, ordinal_position"
)
DRIVER: Final = "snowflake-connector-python"
DEFAULT_PORT: Final = 443

_LOGINS: Final = ("password", "private_key", "private_key_file", "oauth_token")
_DOMAIN: Final = "snowflakecomputing"


class Config(DatabaseConfig):
    """An account, a user who can only read, and where its queries run.

    Attributes:
        account: ``organization-account``, or an account locator with its region: ``xy12345.eu-central-1``.
        password: Also takes a programmatic access token.
        private_key: The whole PEM text.
        role: The user's default role when None. Secondary roles are never used.
        query_timeout: A query that takes longer is ended, reading its rows included.
        host: Another address than the account's public one, such as a private link's.
        protocol: ``http`` only to this machine.
    """

    type: Literal["snowflake"] = Field(default="snowflake", description="The engine.")
    account: EnvText = Field(description="organization-account, or locator.region; ${NAME} is replaced.")
    user: EnvText = Field(description="A user who can only read; ${NAME} is replaced.")
    password: Secret | None = Field(default=None, description="${NAME}: a password or programmatic access token.")
    private_key: Secret | None = Field(default=None, description="${NAME}: the private key, the whole PEM text.")
    private_key_file: PathBesideFile | None = Field(
        default=None, description="The private key as a PEM file, relative to this file."
    )
    private_key_passphrase: Secret | None = Field(default=None, description="${NAME}, where the key is protected.")
    oauth_token: Secret | None = Field(default=None, description="${NAME}: an OAuth access token.")
    role: EnvText | None = Field(default=None, description="The user's default role when left out.")
    warehouse: EnvText | None = Field(default=None, description="Runs the queries; the user's default when left out.")
    database: EnvText | None = Field(default=None, description="Where names without a database are looked up.")
    # `schema` would hide a method that pydantic's base class still has.
    schema_name: EnvText | None = Field(
        default=None, alias="schema", description="Where names without a schema are looked up."
    )
    query_timeout: Interval = Field(default=timedelta(hours=1), description="A query that takes longer is ended.")
    host: EnvText | None = Field(default=None, description="Another address, such as a private link's.")
    port: int | None = Field(default=None, ge=1, le=65_535, description="443 when left out.")
    protocol: Literal["https", "http"] = Field(default="https", description="http only to this machine.")

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Exactly one way to log in; the account's name only; encrypted but on this machine."""
        logins = [key for key in _LOGINS if given.get(key) is not None]
        if not logins:
            yield "", f"needs one of {', '.join(_LOGINS)}"
        for key in logins[1:]:
            yield key, f"only one of {' and '.join(logins)} can be used"
        if given.get("private_key_passphrase") is not None and not {"private_key", "private_key_file"} & set(logins):
            yield "private_key_passphrase", "belongs to private_key or private_key_file"
        account = str(given.get("account") or "")
        if _DOMAIN in account or "/" in account:
            yield "account", "write only the account's part of the address, such as myorganization-myaccount"
        if given.get("protocol") == "http" and (problem := _unencrypted(str(given.get("host") or ""))):
            yield "protocol", problem


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
    if config.host is not None and config.protocol == "http" and (problem := _unencrypted(config.host.resolve())):
        raise ConfigError(f"{where}: protocol: {problem}.")
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


def _unencrypted(host: str) -> str | None:
    if "${" in host:
        return None
    return insecure(f"http://{host}") if host else "must be https (plain http is for `host: localhost` only)"
