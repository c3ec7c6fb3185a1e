"""A sync from SQLite into a table of ClickHouse, as a user runs it."""

from __future__ import annotations

from typing import ClassVar

from reverse_etl_tests.destinations.sql.runs import Engine, SqlRun, crm

__all__ = ["crm"]


class ClickhouseEngine(Engine):
    """As the suite says."""

    steps: ClassVar[list[str]] = ["address", "port", "TLS", "log in", "server", "writes"]


class TestRun(ClickhouseEngine, SqlRun):
    """As the suite says."""
