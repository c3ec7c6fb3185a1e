"""What is asked of PostgreSQL: where the table is, and how rows get into it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from reverse_etl.config.connections import DestinationConfig, PathBesideFile, SshTunnelConfig, Timezone
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.intervals import Interval
from reverse_etl.config.model import YamlModel

DEFAULT_PORT: Final = 5432


class Config(DestinationConfig):
    """One entry of ``destinations``: a server, and a user who may write there.

    Attributes:
        schema_name: Where tables are; a table may name another: ``schema.table``.
        tls: ``verify-full`` checks certificate and host name, ``require`` only encrypts, ``disable`` does neither.
        ca_file: PEM file with the authority to trust; the system's authorities when None. Absolute once loaded.
        timezone: What date-times without a zone are in, there.
        lock_timeout: How long a statement waits for rows that another transaction is changing.
        tunnel_port: Set while a tunnel is open: the port of this machine that leads to the server.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = DestinationConfig.SET_BY_LOADER | {"tunnel_port"}

    type: Literal["postgres"] = Field(default="postgres", description="The destination's kind.")
    host: EnvText = Field(description="Host name or address; ${NAME} is replaced.")
    port: int = Field(default=DEFAULT_PORT, ge=1, le=65_535, description="The server's port.")
    database: EnvText = Field(description="Name of the database; ${NAME} is replaced.")
    schema_name: str = Field(default="public", alias="schema", min_length=1, description="The schema with the tables.")
    user: EnvText = Field(description="A user who may write to the table; ${NAME} is replaced.")
    password: Secret | None = Field(default=None, description="${NAME}: the environment variable that holds it.")
    tls: Literal["verify-full", "require", "disable"] = Field(
        default="verify-full", description="verify-full checks certificate and host name, require only encrypts."
    )
    ca_file: PathBesideFile | None = Field(default=None, description="Authority to trust (PEM), relative to this file.")
    ssh_tunnel: SshTunnelConfig | None = Field(default=None, description="An SSH server that leads to the host.")
    timezone: Timezone = Field(default="UTC", description="What columns for date-times without a zone are in.")
    rows_per_transaction: int = Field(
        default=25_000, ge=1, le=100_000, description="Rows that are written, and become visible, together."
    )
    lock_timeout: Interval = Field(
        default=timedelta(seconds=10), description="How long to wait for rows that another transaction is changing."
    )
    tunnel_port: int | None = None

    def address(self, default_port: int) -> tuple[str, int]:
        """Where a driver connects to. Certificates are still checked against ``host``.

        Raises:
            UnsetVariableError: ``host`` names a variable that is not set.
        """
        if self.tunnel_port is not None:
            return "127.0.0.1", self.tunnel_port
        return self.host.resolve(), self.port or default_port


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("names a column twice")
    return names


class Rows(YamlModel):
    """What becomes of a sync's rows. Columns are those of the query, by equal names.

    Attributes:
        table: As the server spells it; with ``schema.`` before it where it is not in the destination's.
        identify_by: The columns that tell which row of the table a row is.
        write: ``update_only`` leaves out rows that the table does not have, ``add_only`` those that it has.
        empty_values: Whether NULL and '' are written, or keep what is there.
    """

    table: str = Field(min_length=1, description="A table that exists, or schema.table.")
    identify_by: Annotated[tuple[str, ...], BeforeValidator(_as_list), AfterValidator(_once)] = Field(
        min_length=1, description="The column, or the list of columns, that identifies a row."
    )
    write: Literal["add_and_update", "update_only", "add_only"] = Field(
        default="add_and_update", description="update_only changes rows that exist, add_only adds those that do not."
    )
    empty_values: Literal["write", "ignore"] = Field(
        default="write", description="NULL and '': write them, or keep what is there."
    )
