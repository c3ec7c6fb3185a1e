"""The state's views in tables of PostgreSQL."""

from __future__ import annotations

from reverse_etl_tests.destinations.sql.monitored import SqlMonitored, store

__all__ = ["store"]


class TestMonitoring(SqlMonitored):
    """As the suite says."""

    title = "PostgreSQL"
