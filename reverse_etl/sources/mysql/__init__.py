"""MySQL and MariaDB: what the engine gives, as ``sources.base`` lists it."""

from __future__ import annotations

from reverse_etl.sources.mysql.dialect import DIALECT
from reverse_etl.sources.mysql.engine import (
    COLUMNS,
    DEFAULT_PORT,
    DRIVER,
    KEYS,
    LAST_SYNC_TIME,
    Config,
    ask_for_tls,
    connect,
)

__all__ = ["COLUMNS", "DEFAULT_PORT", "DIALECT", "DRIVER", "KEYS", "LAST_SYNC_TIME", "Config", "ask_for_tls", "connect"]
