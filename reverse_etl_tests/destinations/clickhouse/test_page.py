"""What ClickHouse's page shows can be used as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.clickhouse.server import Clickhouse
from reverse_etl_tests.destinations.sql.pages import SqlPage
from reverse_etl_tests.destinations.sql.steps import SqlSteps
from reverse_etl_tests.destinations.sql.tables import SqlServer, delivered


class TestPage(SqlPage):
    """``docs/destinations/clickhouse.md``."""

    page = "clickhouse.md"
    test_the_grants_that_it_shows_are_enough = None

    def test_rows_go_into_the_table_that_it_shows(self, server: Clickhouse, tmp_path: Path) -> None:
        """With the start of the run as the version. The engine has no users, so grants are not tried."""
        (table,) = (block for kind, block in self._blocks()[1] if kind == "sql" and block.startswith("CREATE TABLE"))
        server.client.command(re.sub(r"\s+", " ", table))
        delivery = delivered(server, tmp_path, {"id": [1, 2], "email": ["a@x", "b@x"], "plan": ["pro", "free"]})
        assert [1, 2] == delivery.numbers(Outcome.DELIVERED)
        assert [(2,)] == server.fetch("SELECT count() FROM customers WHERE version > now() - 3600")


@pytest.mark.thorough
class TestSteps(SqlSteps):
    """``docs/destinations/tables.md``."""

    def grant_delete(self, server: SqlServer) -> None:
        """The engine has no users."""
