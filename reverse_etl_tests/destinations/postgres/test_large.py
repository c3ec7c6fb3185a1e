"""Many rows into a table of PostgreSQL."""

from __future__ import annotations

import pytest

from reverse_etl_tests.benchmarks.table_places import PostgresPlace
from reverse_etl_tests.destinations.postgres.server import Postgres
from reverse_etl_tests.destinations.sql.large import SqlLarge

pytestmark = pytest.mark.thorough


class TestLarge(SqlLarge):
    """As the suite says."""

    sizes = (150_000, 450_000)

    @pytest.fixture
    def place(self, server: Postgres) -> PostgresPlace:
        """The tests' server."""
        return PostgresPlace(server)
