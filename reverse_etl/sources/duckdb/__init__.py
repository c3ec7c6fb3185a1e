"""DuckDB: what the engine gives, as ``sources.base`` lists it."""

from __future__ import annotations

from reverse_etl.sources.duckdb.engine import COLUMNS, DIALECT, DRIVER, KEYS, LAST_SYNC_TIME, Config, connect

__all__ = ["COLUMNS", "DIALECT", "DRIVER", "KEYS", "LAST_SYNC_TIME", "Config", "connect"]
