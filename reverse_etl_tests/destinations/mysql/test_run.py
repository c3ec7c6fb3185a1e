"""A sync from SQLite into a table of MariaDB, as a user runs it."""

from __future__ import annotations

from typing import ClassVar

import pytest

from reverse_etl_tests.destinations.mysql.server import ACCOUNT, DATABASE
from reverse_etl_tests.destinations.sql.runs import SYNC, Engine, SqlRun, SqlRuns, crm, stored
from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.project import Project, fill

__all__ = ["crm"]


class MysqlEngine(Engine):
    """As the suite says."""

    steps: ClassVar[list[str]] = ["address", "port", "TLS", "log in", "server", "temporary tables"]
    revoke = f"REVOKE INSERT ON {DATABASE}.* FROM {ACCOUNT}"
    grant_delete = f"GRANT DELETE ON customers TO {ACCOUNT}"
    referenced = "referenced"


class TestRun(MysqlEngine, SqlRun):
    """As the suite says."""


@pytest.mark.thorough
class TestRuns(MysqlEngine, SqlRuns):
    """Likewise; what an engine has no part in is tested with PostgreSQL each time."""

    def test_addresses_that_differ_in_case_are_one_key(self, crm: Project, server: SqlServer) -> None:
        """As the table's collation has it: the first of them is written, the other is refused."""
        fill(crm.folder / "shop.db", [(1, "a@x", "free"), (2, "A@x", "pro")])
        crm.write("crm_customers.yaml", SYNC.replace("identify_by: id", "identify_by: email"))
        code, report = crm.run("crm_customers")
        assert (7, 1, 1) == (code, report["rows"]["delivered"], report["rows"]["refused"]), report
        assert [(1, "a@x", "free")] == stored(server)
