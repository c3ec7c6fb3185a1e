"""Syncs and workspaces as tests need them, and rows as their checks would let them pass."""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa

from reverse_etl.changeset.parts import with_row_numbers
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.destinations.customerio.workspace import WorkspaceConfig

CREDENTIAL = "sandbox"


def workspace(url: str, *, app_key: bool = True, **settings: Any) -> WorkspaceConfig:
    """A workspace whose Track and App API are at ``url``; credentials are those of the sandbox."""
    os.environ["REVERSE_ETL_TESTS_KEY"] = CREDENTIAL
    key = Secret("${REVERSE_ETL_TESTS_KEY}")
    address = EnvText(url)
    return WorkspaceConfig(
        name="main",
        site_id=key,
        track_api_key=settings.pop("track_api_key", key),
        app_api_key=settings.pop("app_api_key", key) if app_key else None,
        track_url=address,
        app_url=address,
        requests_per_second=settings.pop("requests_per_second", 10_000),
        **settings,
    )


def sync(query: str = "SELECT 1", **kind: Any) -> Sync:
    """A sync of one kind: ``sync(people={"identify_by": "email"})``."""
    return Sync.model_validate(
        {"name": "shop", "database": "db", "workspace": "main", "schedule": ScheduleConfig(), "query": query, **kind}
    )


def numbered(rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> pa.RecordBatch:
    """Rows as a batch with row numbers."""
    return next(with_row_numbers([pa.RecordBatch.from_pylist(rows, schema=schema)]))
