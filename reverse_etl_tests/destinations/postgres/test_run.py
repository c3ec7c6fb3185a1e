"""A sync from SQLite into a table of PostgreSQL, as a user runs it."""

from __future__ import annotations

import json
from typing import ClassVar

from reverse_etl_tests.destinations.sql.runs import ROWS, SYNC, SqlRuns, crm, stored
from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.project import Project, fill
from reverse_etl_tests.servers.postgres import USER

__all__ = ["crm"]


class TestRuns(SqlRuns):
    """As the suite says."""

    steps: ClassVar[list[str]] = ["address", "port", "TLS", "log in", "server", "schema", "temporary tables"]
    revoke = f"REVOKE INSERT ON customers FROM {USER}"

    def make_slow(self, server: SqlServer) -> None:
        """By a trigger."""
        server.run(
            "CREATE TABLE writes (id bigint); GRANT INSERT ON writes TO reader; CREATE FUNCTION slow() RETURNS trigger "
            "LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.005); INSERT INTO writes VALUES (new.id); RETURN NULL; "
            "END $$; CREATE TRIGGER slow AFTER INSERT OR UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION slow()"
        )

    def test_addresses_that_differ_in_case_are_two_keys(self, crm: Project, server: SqlServer) -> None:
        """As the table has it, where Customer.io has one person; neither row is a duplicate."""
        fill(crm.folder / "shop.db", [(1, "a@x", "free"), (2, "A@x", "pro")])
        crm.write("crm_customers.yaml", SYNC.replace("identify_by: id", "identify_by: email"))
        code, report = crm.run("crm_customers")
        assert (0, 2) == (code, report["rows"]["delivered"])
        assert [(1, "a@x", "free"), (2, "A@x", "pro")] == stored(server)

    def test_rows_that_are_gone_are_deleted(self, crm: Project, server: SqlServer) -> None:
        """Only this sync's rows, with the right to do so; a row that another one needs is a failed row."""
        server.run("INSERT INTO customers VALUES (77, 'own@x', 'free')")
        sync = SYNC.replace("identify_by: id}", "identify_by: id, gone: delete}")
        crm.write("crm_customers.yaml", sync)
        refused = crm.reverse_etl("validate")
        assert (2, True) == (refused.returncode, "`changes: {by: compare}`" in refused.stdout + refused.stderr)
        crm.write("crm_customers.yaml", sync + "changes: {by: compare}\n")
        lacking = crm.reverse_etl("run", "crm_customers")
        assert (5, True) == (lacking.returncode, "GRANT DELETE" in lacking.stdout + lacking.stderr)
        server.run(f"GRANT DELETE ON customers TO {USER}")
        code, report = crm.run("crm_customers")
        assert 0 == code, report
        server.run("CREATE TABLE orders (customer bigint REFERENCES customers); INSERT INTO orders VALUES (2)")
        fill(crm.folder / "shop.db", [ROWS[0]])
        planned = json.loads(crm.reverse_etl("plan", "crm_customers", "--json").stdout)
        assert (2, 2) == (planned["streams"]["rows"]["gone"], planned["streams"]["rows"]["to_remove"]), planned
        code, report = crm.run("crm_customers", "--plan", planned["plan_id"])
        assert (7, 1, 1) == (code, report["gone_rows"]["delivered"], report["gone_rows"]["refused"]), report
        assert [1, 2, 77] == [row[0] for row in stored(server)]
        [failed] = json.loads(crm.reverse_etl("errors", "crm_customers", "--json").stdout)["failed_rows"]
        assert ("gone_rows", "2", "missing_reference") == (failed["query"], failed["identifier"], failed["reason"])
        server.run("DROP TABLE orders")
        code, report = crm.run("crm_customers")
        assert (0, [1, 77]) == (code, [row[0] for row in stored(server)]), report

    def test_a_column_deleted_deletes_rows(self, crm: Project, server: SqlServer) -> None:
        """At once, and without comparing; it is no column of the table, and the limit is looked at first."""
        server.run(f"GRANT DELETE ON customers TO {USER}; INSERT INTO customers VALUES (2, 'old@x', 'free')")
        rows = "rows: {table: customers, identify_by: id, gone: delete, gone_max_rows: LIMIT}"
        text = SYNC.replace("rows: {table: customers, identify_by: id}", rows)
        text = text.replace("SELECT id", "SELECT plan = 'pro' AS deleted, id")
        crm.write("crm_customers.yaml", text.replace("LIMIT", "0"))
        stopped, report = crm.run("crm_customers")
        assert (4, True) == (stopped, "--gone-max 1" in report["message"]), report
        assert [2] == [row[0] for row in stored(server)]
        code, report = crm.run("crm_customers", "--gone-max", "1")
        assert (0, 3) == (code, report["rows"]["delivered"]), report
        assert [1, 3] == [row[0] for row in stored(server)]
