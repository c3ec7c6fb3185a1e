"""SQL Server and Azure SQL: what the engine gives, as ``sources.base`` lists it."""

from __future__ import annotations

from reverse_etl.sources.sqlserver.dialect import DIALECT
from reverse_etl.sources.sqlserver.engine import (
    COLUMNS,
    DEFAULT_PORT,
    DRIVER,
    LAST_SYNC_TIME,
    NO_READ_ONLY_SESSIONS,
    Config,
    connect,
    issuer,
)

__all__ = [
    "COLUMNS",
    "DEFAULT_PORT",
    "DIALECT",
    "DRIVER",
    "LAST_SYNC_TIME",
    "NO_READ_ONLY_SESSIONS",
    "Config",
    "connect",
    "issuer",
]
