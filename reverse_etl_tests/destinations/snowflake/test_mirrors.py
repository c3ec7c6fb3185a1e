"""What is known of Snowflake's tables before it is done, and what is removed from them."""

from __future__ import annotations

from typing import ClassVar

import pytest

from reverse_etl_tests.destinations.snowflake.server import ROLE, Snowflake
from reverse_etl_tests.destinations.snowflake.test_run import crm
from reverse_etl_tests.destinations.sql.mirrors import SqlForesight, SqlMirrorRuns, SqlSoftDeletes
from reverse_etl_tests.destinations.sql.runs import ROWS, SYNC, stored
from reverse_etl_tests.project import Project, fill

__all__ = ["crm"]

GRANT_DELETE = f"GRANT DELETE ON TABLE CRM.PUBLIC.CUSTOMERS TO ROLE {ROLE}"


@pytest.mark.thorough
class TestForesight(SqlForesight):
    """As the suite says."""

    grant_delete = GRANT_DELETE
    types: ClassVar[dict[str, str]] = {"timestamp with time zone": "timestamp_ltz", "timestamp": "timestamp_ntz"}


@pytest.mark.thorough
class TestSoftDeletes(SqlSoftDeletes):
    """As the suite says."""

    instant = "timestamp_tz"


@pytest.mark.thorough
class TestMirrorRuns(SqlMirrorRuns):
    """As the suite says, but that neither unique columns nor checks refuse rows."""

    grant_delete = GRANT_DELETE

    def test_a_table_that_is_mirrored_has_what_the_query_returns(  # type: ignore[override]
        self, crm: Project, server: Snowflake
    ) -> None:
        """Rows of others go too, within the limits; a row that does not fit stays; an empty result removes nothing."""
        server.run(self.grant_delete)
        server.run("INSERT INTO customers VALUES (77, 'own@x', 'free'), (78, 'b@x', 'pro'), (5, 'e@x', 'old')")
        fill(crm.folder / "shop.db", [*ROWS, (5, "e@x", "too long a word")])
        mirror = "identify_by: id, gone: delete, gone_scope: table, gone_max_rows: 2"
        crm.write("crm_customers.yaml", SYNC.replace("identify_by: id}", f"{mirror}, adds_max: 2}}"))
        code, report = crm.run("crm_customers")
        assert (4, True) == (code, "3 rows would be added to table customers" in report["message"]), report
        crm.write("crm_customers.yaml", SYNC.replace("identify_by: id}", f"{mirror}}}"))
        code, report = crm.run("crm_customers")
        assert (7, 3, 2) == (code, report["rows"]["delivered"], report["gone_rows"]["delivered"]), report
        assert [*ROWS, (5, "e@x", "old")] == stored(server)
        fill(crm.folder / "shop.db", [])
        code, report = crm.run("crm_customers")
        assert (4, 4) == (code, len(stored(server))), report
