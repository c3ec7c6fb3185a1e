"""What is asked of MySQL and MariaDB: no more than of every database."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from reverse_etl.destinations._sql.config import TableServer

DEFAULT_PORT: Final = 3306


class Config(TableServer):
    """One entry of ``destinations``. A ``host`` with a slash is a Unix socket."""

    type: Literal["mysql"] = Field(default="mysql", description="The destination's kind: MySQL or MariaDB.")
    port: int = Field(default=DEFAULT_PORT, ge=1, le=65_535, description="The server's port.")
