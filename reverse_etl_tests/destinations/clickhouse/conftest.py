"""The server that the tests of ClickHouse write to."""

from __future__ import annotations

from reverse_etl_tests.destinations.clickhouse.server import server
from reverse_etl_tests.servers.clickhouse import clickhouse

__all__ = ["clickhouse", "server"]
