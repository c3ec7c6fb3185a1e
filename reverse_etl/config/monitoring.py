"""Where the views of the state database are copied to after each run: the section ``monitoring``."""

from __future__ import annotations

from pydantic import Field

from reverse_etl.config.model import YamlModel


class MonitoringConfig(YamlModel):
    """A database that BI tools read, and that has the tables.

    Attributes:
        database: The name of a destination with tables; a database of ``databases`` is only read.
        schema_name: Where the tables lie; empty for the destination's own.
    """

    database: str = Field(
        min_length=1, description="A destination that is a database, by its name: the views are copied to its tables."
    )
    schema_name: str = Field(
        default="", alias="schema", description="The schema of the tables; the destination's own when left out."
    )
