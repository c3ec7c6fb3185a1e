"""Snowflake: what the engine gives, as ``sources.base`` lists it."""

from __future__ import annotations

from reverse_etl.sources.snowflake.dialect import DIALECT
from reverse_etl.sources.snowflake.engine import (
    COLUMNS,
    DEFAULT_PORT,
    DRIVER,
    LAST_SYNC_TIME,
    Config,
    connect,
    endpoint,
)

__all__ = ["COLUMNS", "DEFAULT_PORT", "DIALECT", "DRIVER", "LAST_SYNC_TIME", "Config", "connect", "endpoint"]
