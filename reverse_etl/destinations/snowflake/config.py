"""What is asked of Snowflake: an account, who writes there, and where tables and the temporary stage are."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from reverse_etl.config.connections import DestinationConfig
from reverse_etl.config.environment import EnvText
from reverse_etl.destinations._sql.config import MOST_ROWS, TableTarget
from reverse_etl.sources.snowflake.account import Account


class Config(Account, TableTarget):
    """One entry of ``destinations``.

    Attributes:
        database: Where tables are.
        schema_name: The same; a table may name another: ``schema.table``.
        stage_schema: Where the temporary table and stage are made, in the same database.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = DestinationConfig.SET_BY_LOADER

    type: Literal["snowflake"] = Field(default="snowflake", description="The destination's kind.")
    user: EnvText = Field(description="A user who may write to the table; ${NAME} is replaced.")
    warehouse: EnvText | None = Field(
        default=None, description="Runs the statements; the user's default when left out."
    )
    database: EnvText = Field(description="The database with the tables; ${NAME} is replaced.")
    schema_name: EnvText = Field(default=EnvText("PUBLIC"), alias="schema", description="The schema with the tables.")
    rows_per_transaction: int = Field(
        default=50_000, ge=1, le=MOST_ROWS, description="Rows that are written, and become visible, together."
    )
    stage_schema: EnvText | None = Field(
        default=None,
        description="A schema of the database for the temporary table and stage; that of the tables when left out.",
    )

    @property
    def whereabouts(self) -> tuple[str, ...]:
        """Account and database, whatever their case."""
        return self.account.resolve().upper(), self.database.resolve().upper()

    @property
    def staging(self) -> EnvText:
        """The schema for what is temporary."""
        return self.stage_schema or self.schema_name
