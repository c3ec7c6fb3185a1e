"""An account of Snowflake and who logs in there: the keys that a database and a destination have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import Field

from reverse_etl.config.connections import PathBesideFile, insecure
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.intervals import Interval
from reverse_etl.config.model import YamlModel
from reverse_etl.errors import ConfigError

DEFAULT_PORT: Final = 443

_LOGINS: Final = ("password", "private_key", "private_key_file", "oauth_token")
_DOMAIN: Final = "snowflakecomputing"


class Account(YamlModel):
    """An account, who logs in there, and where what is run runs.

    Attributes:
        account: ``organization-account``, or an account locator with its region: ``xy12345.eu-central-1``.
        password: Also takes a programmatic access token.
        private_key: The whole PEM text.
        role: The user's default role when None. Secondary roles are never used.
        query_timeout: A query that takes longer is ended, reading its rows included.
        host: Another address than the account's public one, such as a private link's.
        protocol: ``http`` only to this machine.
    """

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

    def require_encrypted(self, where: str) -> None:
        """Raises ConfigError where the address, once its variable is known, needs https."""
        if self.host is not None and self.protocol == "http" and (problem := _unencrypted(self.host.resolve())):
            raise ConfigError(f"{where}: protocol: {problem}.")


def _unencrypted(host: str) -> str | None:
    if "${" in host:
        return None
    return insecure(f"http://{host}") if host else "must be https (plain http is for `host: localhost` only)"
