"""What is asked of PostgreSQL beyond what every database is: the schema with the tables."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from reverse_etl.destinations._sql.config import TableServer

DEFAULT_PORT: Final = 5432


class Config(TableServer):
    """One entry of ``destinations``.

    Attributes:
        schema_name: Where tables are; a table may name another: ``schema.table``.
    """

    type: Literal["postgres"] = Field(default="postgres", description="The destination's kind.")
    port: int = Field(default=DEFAULT_PORT, ge=1, le=65_535, description="The server's port.")
    schema_name: str = Field(default="public", alias="schema", min_length=1, description="The schema with the tables.")
