"""A sync from SQLite into a table, as a user runs it: commands in a project folder. Subclass it beside each suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest

from reverse_etl_tests.cli.test_init import answered
from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.project import SHOP, Project, fill

TABLE = (
    "CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(40) UNIQUE, plan varchar(9) CHECK (plan <> 'bad'))"
)
SYNC = """\
description: Customers, in the CRM's own table
database: shop
destination: crm
schedule: manual
rows: {table: customers, identify_by: id}
query: |
  SELECT id, email, plan FROM customers
"""
CONNECTIONS = """\
databases:
{shop}destinations:
  crm:
    type: {kind}
    host: localhost
    port: {port}
    database: {database}
    user: {user}
    password: ${{{password}}}
    ca_file: {ca_file}
    rows_per_transaction: {rows}
"""
ROWS = [(1, "a@x", "free"), (2, "b@x", "pro"), (3, "c@x", "free")]


@pytest.fixture
def crm(server: SqlServer, tmp_path: Path) -> Project:
    """Three customers in SQLite, and a sync of them into the empty table."""
    project = Project(tmp_path)
    fill(tmp_path / "shop.db", [*ROWS])
    connect(project, server)
    project.write("crm_customers.yaml", SYNC)
    server.run(TABLE)
    return project


def connect(project: Project, server: SqlServer, *, rows: int = 25_000) -> None:
    """Writes ``connections.yaml``."""
    text = CONNECTIONS.format(
        shop=SHOP, kind=server.kind, port=server.port, database=server.database, user=server.user,
        password=server.password_variable, ca_file=server.ca_file, rows=rows,
    )  # fmt: skip
    project.write("connections.yaml", text)


def stored(server: SqlServer) -> list[tuple[object, ...]]:
    """The table's rows."""
    return server.fetch("SELECT id, email, plan FROM customers ORDER BY id")


class Engine:
    """What differs.

    Attributes:
        steps: Those of ``test-connection``.
        column: The first column as `test-connection` shows it.
        keys: What it shows of keys.
        rights: What it shows of rights.
        revoke: Takes the right to add rows.
        grant_delete: Gives the right to delete rows.
        referenced: Why a row cannot be deleted that another table refers to.
    """

    steps: ClassVar[list[str]]
    column: ClassVar[str] = "id bigint"
    keys: ClassVar[str] = "PRIMARY KEY (id), UNIQUE (email)"
    rights: ClassVar[str] = "SELECT, INSERT, UPDATE; not DELETE"
    revoke: ClassVar[str]
    grant_delete: ClassVar[str]
    referenced: ClassVar[str]


class SqlRun(Engine):
    """A run and what leads to it."""

    def test_a_run_brings_the_rows_into_the_table(self, crm: Project, server: SqlServer) -> None:
        """Validate, test the connection, preview, run; a second run is as good."""
        assert 0 == crm.reverse_etl("validate").returncode
        tested = json.loads(crm.reverse_etl("test-connection", "crm", "--json").stdout)
        shown = [step["name"] for step in tested if step["ok"]]
        assert self.steps == shown[: len(self.steps)]
        assert "sync crm_customers" == shown[-1]
        texts = {step["name"].split()[0]: step["detail"] for step in tested}
        assert "add_and_update id, email, plan by id" == texts["sync"]
        assert self.column in texts["table"]
        assert (self.keys, self.rights) == (texts["keys"], texts["rights"])
        shown = json.loads(crm.reverse_etl("preview", "crm_customers", "--json").stdout)
        assert ["valid"] * 3 == [row["verdict"] for row in shown], shown
        assert {"id": 1, "email": "a@x", "plan": "free"} == shown[0]["operation"]
        assert [] == stored(server)
        for _ in range(2):
            code, report = crm.run("crm_customers")
            assert (0, "completed", 3) == (code, report["status"], report["rows"]["delivered"]), report
        assert ROWS == stored(server)


class SqlRuns(Engine):
    """Rows in the table, reports and exit codes."""

    def test_rows_that_where_leaves_out_are_not_in_the_table(self, crm: Project, server: SqlServer) -> None:
        """They are excluded, and `preview` says why."""
        crm.write("crm_customers.yaml", f"{SYNC}where:\n  plan: {{is_not: pro}}\n")
        shown = json.loads(crm.reverse_etl("preview", "crm_customers", "--json").stdout)
        assert ["valid", "excluded", "valid"] == [row["verdict"] for row in shown], shown
        assert "filtered: it does not meet `where`." == shown[1]["reason"]
        assert ("pro", None) == (shown[1]["values"]["plan"], shown[1]["shaped"])
        assert "free" == shown[0]["shaped"]["plan"]
        code, report = crm.run("crm_customers")
        assert (0, 2, 1) == (code, report["rows"]["delivered"], report["rows"]["excluded"]), report
        assert [ROWS[0], ROWS[2]] == stored(server)

    def test_columns_of_the_table_are_made_of_those_of_the_query(self, crm: Project, server: SqlServer) -> None:
        """A key under another name, with its type; `validate` names a column that is not there."""
        columns = "columns:\n  id: {column: number, as: integer}\n  email: {column: email, then: upper}\n"
        query = SYNC.replace("SELECT id, email, plan", "SELECT CAST(id AS TEXT) AS number, email, plan")
        crm.write("crm_customers.yaml", f"{query}{columns}  plan: {{column: plna}}\n")
        refused = crm.reverse_etl("validate")
        assert "columns.plan: the query has no column `plna`; did you mean `plan`?" in refused.stdout + refused.stderr
        crm.write("crm_customers.yaml", query + columns)
        code, report = crm.run("crm_customers")
        assert (0, 3) == (code, report["rows"]["delivered"]), report
        assert [(number, text.upper(), None) for number, text, _ in ROWS] == stored(server)

    def test_the_first_sync_that_init_writes_runs(self, server: SqlServer, tmp_path: Path) -> None:
        """From an empty folder to rows in the table, with a port and an authority of its own."""
        fill(tmp_path / "shop.db", [*ROWS])
        server.run(TABLE)
        place = ("localhost", str(server.port), server.database, server.user, str(server.ca_file))
        connections = ("sqlite", "", "../shop.db", server.kind, "crm", *place)
        sync = ("members", "customers", "id", "customers", "", "email, plan", "updated_at", "manual")
        done = answered(tmp_path, *connections, *sync)
        assert (0, "") == (done.returncode, done.stdout), done.stderr
        project = Project(tmp_path, {"CRM_PASSWORD": server.password})
        code, report = project.run("members")
        assert (0, 3) == (code, report["rows"]["delivered"]), report
        assert ROWS == stored(server)

    def test_bad_rows_are_failed_rows(self, crm: Project, server: SqlServer) -> None:
        """The others arrive; `errors` and the CSV name each row, its constraint and column, and no value."""
        bad = [(4, "a@x", "free"), (5, "e@x", "bad"), (None, "n@x", "free"), (7, "g@x", "x")]
        fill(crm.folder / "shop.db", [*ROWS, *bad])
        code, report = crm.run("crm_customers")
        assert (7, "some_rows_failed", 4) == (code, report["status"], report["rows"]["delivered"]), report
        assert [1, 2, 3, 7] == [row[0] for row in stored(server)]
        rows = json.loads(crm.reverse_etl("errors", "crm_customers", "--json").stdout)["failed_rows"]
        assert {("4", "duplicate_value", "email"), ("5", "breaks_check", "plan")} <= {
            (row["identifier"], row["reason"], row["field"]) for row in rows
        }
        good = [(4, "d@x", "free"), (5, "e@x", "good"), (6, "n@x", "free"), (7, "g@x", "x")]
        fill(crm.folder / "shop.db", [*ROWS, *good])
        code, report = crm.run("crm_customers")
        assert (0, 7) == (code, len(stored(server))), report

    @pytest.mark.thorough
    def test_append_adds_what_each_run_reads(self, crm: Project, server: SqlServer) -> None:
        """Without a key: failed rows have none either, as a retry says; `validate` warns where rows are read twice."""
        server.run("CREATE TABLE visits (email varchar(40), plan varchar(9) CHECK (plan <> 'bad'))")
        sync = SYNC.replace("{table: customers, identify_by: id}", "{table: visits, write: append}")
        sync = sync.replace("SELECT id, email", "SELECT email")
        fill(crm.folder / "shop.db", [*ROWS, (4, "d@x", "bad")])
        crm.write("crm_customers.yaml", sync)
        done = crm.reverse_etl("validate")
        assert (0, False) == (done.returncode, "append" in done.stdout + done.stderr), done
        planned = json.loads(crm.reverse_etl("plan", "crm_customers", "--json").stdout)
        assert 4 == planned["streams"]["rows"]["to_send"], planned
        for times in (1, 2):
            code, report = crm.run("crm_customers")
            assert (7, 3, 1) == (code, report["rows"]["delivered"], report["rows"]["refused"]), report
            assert sorted(row[1:] for row in ROWS * times) == sorted(server.fetch("SELECT email, plan FROM visits"))
        done = crm.reverse_etl("retry", "crm_customers")
        assert (7, True) == (done.returncode, "no column identifies" in done.stdout + done.stderr), done
        assert [(6,)] == server.fetch("SELECT count(*) FROM visits")
        crm.write("crm_customers.yaml", sync.rstrip() + " WHERE updated_at >= {{last_sync_time}}\n")
        warned = crm.reverse_etl("validate")
        assert (0, True) == (warned.returncode, "append adds a row each time" in warned.stdout + warned.stderr), warned
        crm.write("crm_customers.yaml", sync + "changes: {by: compare}\n")
        refused = crm.reverse_etl("validate")
        assert (2, True) == (refused.returncode, "compare knows rows by their key" in refused.stdout + refused.stderr)
        keyed = sync.replace("write: append", "write: append, identify_by: id")
        crm.write("crm_customers.yaml", keyed + "changes: {by: compare, keep: 30d}\n")
        refused = crm.reverse_etl("validate")
        assert (2, True) == (refused.returncode, "the table keeps every row itself" in refused.stdout + refused.stderr)

    @pytest.mark.thorough
    def test_append_adds_once_what_compares(self, crm: Project, server: SqlServer) -> None:
        """What was acknowledged is not added again; a row that changed is added as it is now."""
        server.run("CREATE TABLE visits (id bigint, email varchar(40), plan varchar(9))")
        rows = "{table: visits, identify_by: id, write: append}"
        sync = SYNC.replace("{table: customers, identify_by: id}", rows)
        crm.write("crm_customers.yaml", f"{sync}changes: {{by: compare}}\n")
        for changed in (0, 0, 1):
            fill(crm.folder / "shop.db", [*ROWS[changed:], *[(row[0], "new@x", "pro") for row in ROWS[:changed]]])
            code, report = crm.run("crm_customers")
            assert 0 == code, report
        assert [*ROWS[:1], (1, "new@x", "pro"), *ROWS[1:]] == sorted(server.fetch("SELECT id, email, plan FROM visits"))

    @pytest.mark.thorough
    def test_what_is_wrong_ends_the_run_before_the_rows_are_read(self, crm: Project, server: SqlServer) -> None:
        """The author's mistakes with 2, the destination's with 5; of a database that could not give the rows."""
        (crm.folder / "shop.db").unlink()
        crm.write("crm_customers.yaml", SYNC.replace("table: customers", "table: custmers"))
        done = crm.reverse_etl("run", "crm_customers")
        assert (2, True) == (done.returncode, "Did you mean customers?" in done.stderr + done.stdout), done.stderr
        crm.write("crm_customers.yaml", SYNC)
        server.run(self.revoke)
        done = crm.reverse_etl("run", "crm_customers")
        assert (5, True) == (done.returncode, "GRANT INSERT" in done.stderr + done.stdout), done.stderr
        assert [] == stored(server)

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
        server.run(self.grant_delete)
        code, report = crm.run("crm_customers")
        assert 0 == code, report
        server.run("CREATE TABLE orders (customer bigint, FOREIGN KEY (customer) REFERENCES customers (id))")
        server.run("INSERT INTO orders VALUES (2)")
        fill(crm.folder / "shop.db", [ROWS[0]])
        planned = json.loads(crm.reverse_etl("plan", "crm_customers", "--json").stdout)
        assert (2, 2) == (planned["streams"]["rows"]["gone"], planned["streams"]["rows"]["to_remove"]), planned
        code, report = crm.run("crm_customers", "--plan", planned["plan_id"])
        assert (7, 1, 1) == (code, report["gone_rows"]["delivered"], report["gone_rows"]["refused"]), report
        assert [1, 2, 77] == [row[0] for row in stored(server)]
        [failed] = json.loads(crm.reverse_etl("errors", "crm_customers", "--json").stdout)["failed_rows"]
        assert ("gone_rows", "2", self.referenced) == (failed["query"], failed["identifier"], failed["reason"])
        server.run("DROP TABLE orders")
        code, report = crm.run("crm_customers")
        assert (0, [1, 77]) == (code, [row[0] for row in stored(server)]), report

    @pytest.mark.thorough
    def test_a_column_deleted_deletes_rows(self, crm: Project, server: SqlServer) -> None:
        """At once, and without comparing; it is no column of the table, and the limit is looked at first."""
        server.run(f"{self.grant_delete}; INSERT INTO customers VALUES (2, 'old@x', 'free')")
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
