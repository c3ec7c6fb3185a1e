"""Many rows into a table of ClickHouse."""

from __future__ import annotations

import pytest

from reverse_etl_tests.benchmarks.table_places import ClickhousePlace
from reverse_etl_tests.destinations.clickhouse.server import Clickhouse
from reverse_etl_tests.destinations.sql.large import SqlLarge

pytestmark = pytest.mark.thorough


class TestLarge(SqlLarge):
    """As the suite says."""

    sizes = (150_000, 400_000)

    @pytest.fixture
    def place(self, server: Clickhouse) -> ClickhousePlace:
        """The tests' server."""
        return ClickhousePlace(server)
