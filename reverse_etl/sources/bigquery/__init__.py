"""BigQuery: what the engine gives, as ``sources.base`` lists it."""

from __future__ import annotations

from reverse_etl.sources.bigquery.dialect import DIALECT
from reverse_etl.sources.bigquery.engine import COLUMNS, DRIVER, LAST_SYNC_TIME, Config, connect

__all__ = ["COLUMNS", "DIALECT", "DRIVER", "LAST_SYNC_TIME", "Config", "connect"]
