"""Many rows into a table of MariaDB."""

from __future__ import annotations

import pytest

from reverse_etl_tests.benchmarks.table_places import MysqlPlace
from reverse_etl_tests.destinations.mysql.server import Mysql
from reverse_etl_tests.destinations.sql.large import SqlLarge

pytestmark = pytest.mark.thorough


class TestLarge(SqlLarge):
    """As the suite says."""

    sizes = (75_000, 150_000)

    @pytest.fixture
    def place(self, server: Mysql) -> MysqlPlace:
        """The tests' server."""
        return MysqlPlace(server)
