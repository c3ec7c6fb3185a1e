"""A Snowflake connection as dagster-snowflake's resource, for assets of a user's project that expect one.

The syncs do not use it: they read through ``sources.snowflake``, which only reads. Its connection does whatever its
role may.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import snowflake.connector
from dagster_snowflake import SnowflakeResource
from pydantic import Field, model_validator

from reverse_etl.defs.resources import SYNCS, DatabaseResource
from reverse_etl.errors import ConfigError
from reverse_etl.sources.snowflake import Config
from reverse_etl.sources.snowflake.login import log_in


class SnowflakeConnection(SnowflakeResource):
    """dagster-snowflake's resource with account, login and defaults of an entry of ``connections.yaml``.

    ``SnowflakeConnection(name="shop", syncs="syncs")`` is the entry ``shop`` of ``syncs/connections.yaml``. The
    inherited ``account``, ``user``, ``password`` and the others are not used.
    """

    name: str = Field(description="The connection's name, also in errors.")
    syncs: str = Field(default="syncs", description=SYNCS)
    user: str = Field(default="", description="Not used; connections.yaml names the user.")

    @model_validator(mode="before")
    @classmethod
    def validate_authentication(cls, values: Any) -> Any:
        """The login is checked when connections.yaml is read."""
        return values

    @contextmanager
    def get_connection(
        self,
        raw_conn: bool = True,  # noqa: ARG002 - the inherited signature
    ) -> Iterator[snowflake.connector.SnowflakeConnection]:
        """A session of Snowflake's connector, closed when the context is left.

        Args:
            raw_conn: Without effect: there is no SQLAlchemy between.

        Raises:
            ConfigError: There is no such connection, or it is none to Snowflake.
            SourceUnavailableError: Snowflake cannot be reached, or refuses the login.
        """
        config = DatabaseResource(name=self.name, syncs=self.syncs).config
        if not isinstance(config, Config):
            raise ConfigError(
                f"database {self.name} is a {config.type} connection, not one to Snowflake.",
                hint="Use DatabaseResource, which reads every engine.",
            )
        with closing(log_in(config, f"database {self.name} (snowflake)")[0]) as connection:
            yield connection
