"""What MySQL's page shows can be used as it is."""

from __future__ import annotations

import pytest

from reverse_etl_tests.destinations.mysql.server import ACCOUNT
from reverse_etl_tests.destinations.sql.pages import SqlPage
from reverse_etl_tests.destinations.sql.steps import SqlSteps
from reverse_etl_tests.destinations.sql.tables import SqlServer


class TestPage(SqlPage):
    """``docs/destinations/mysql.md``."""

    page = "mysql.md"
    creates = "CREATE USER 'reverse_etl_writer'@'%'"

    def adapted(self, grant: str) -> str:
        """The tests' user has another name."""
        return grant.replace("'reverse_etl_writer'@'%'", ACCOUNT)

    def revoke_everything(self, server: SqlServer) -> None:
        """The user is made again for each test."""
        server.run(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {ACCOUNT}")


@pytest.mark.thorough
class TestSteps(SqlSteps):
    """``docs/destinations/tables.md``."""

    def grant_delete(self, server: SqlServer) -> None:
        """For all tables that this test makes."""
        server.run(f"GRANT DELETE ON customers TO {ACCOUNT}")
