"""What is asked of PostgreSQL: where the table is, and how rows get into it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from reverse_etl.config.connections import DestinationConfig, ServerAddress, Timezone
from reverse_etl.config.environment import EnvText
from reverse_etl.config.intervals import Interval
from reverse_etl.config.model import YamlModel

DEFAULT_PORT: Final = 5432


class Config(ServerAddress, DestinationConfig):
    """One entry of ``destinations``: a server, and a user who may write there.

    Attributes:
        schema_name: Where tables are; a table may name another: ``schema.table``.
        timezone: What date-times without a zone are in, there.
        lock_timeout: How long a statement waits for rows that another transaction is changing.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = DestinationConfig.SET_BY_LOADER | ServerAddress.SET_BY_LOADER

    type: Literal["postgres"] = Field(default="postgres", description="The destination's kind.")
    port: int = Field(default=DEFAULT_PORT, ge=1, le=65_535, description="The server's port.")
    user: EnvText = Field(description="A user who may write to the table; ${NAME} is replaced.")
    schema_name: str = Field(default="public", alias="schema", min_length=1, description="The schema with the tables.")
    timezone: Timezone = Field(default="UTC", description="What columns for date-times without a zone are in.")
    rows_per_transaction: int = Field(
        default=25_000, ge=1, le=100_000, description="Rows that are written, and become visible, together."
    )
    lock_timeout: Interval = Field(
        default=timedelta(seconds=10), description="How long to wait for rows that another transaction is changing."
    )


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
        identify_by: The columns that identify a row of the table.
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
