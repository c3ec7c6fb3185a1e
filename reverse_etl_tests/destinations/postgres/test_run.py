"""A sync from SQLite into a table of PostgreSQL, as a user runs it."""

from __future__ import annotations

from typing import ClassVar

from reverse_etl_tests.destinations.sql.runs import SYNC, SqlRun, SqlRuns, crm, stored
from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.project import Project, fill
from reverse_etl_tests.servers.postgres import USER

__all__ = ["crm"]


class TestRuns(SqlRun, SqlRuns):
    """As the suite says."""

    steps: ClassVar[list[str]] = ["address", "port", "TLS", "log in", "server", "schema", "temporary tables"]
    revoke = f"REVOKE INSERT ON customers FROM {USER}"
    grant_delete = f"GRANT DELETE ON customers TO {USER}"
    referenced = "missing_reference"

    def test_addresses_that_differ_in_case_are_two_keys(self, crm: Project, server: SqlServer) -> None:
        """As the table has it, where Customer.io has one person; neither row is a duplicate."""
        fill(crm.folder / "shop.db", [(1, "a@x", "free"), (2, "A@x", "pro")])
        crm.write("crm_customers.yaml", SYNC.replace("identify_by: id", "identify_by: email"))
        code, report = crm.run("crm_customers")
        assert (0, 2) == (code, report["rows"]["delivered"])
        assert [(1, "a@x", "free"), (2, "A@x", "pro")] == stored(server)
