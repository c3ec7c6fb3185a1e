"""A sync from SQLite into a table of Snowflake, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest

from reverse_etl_tests.destinations.snowflake.server import ROLE, Snowflake
from reverse_etl_tests.destinations.sql.runs import ROWS, SYNC, SqlRun, stored
from reverse_etl_tests.project import SHOP, Project, fill
from reverse_etl_tests.servers._snowflake_login import ACCOUNT

TABLE = "CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(40) UNIQUE, plan varchar(9))"
CONNECTIONS = """\
databases:
{shop}destinations:
  crm:
    type: snowflake
    account: {account}
    host: localhost
    port: {port}
    protocol: http
    database: crm
    warehouse: sync_wh
    user: {user}
    password: ${{{password}}}
"""


@pytest.fixture
def crm(server: Snowflake, tmp_path: Path) -> Project:
    """Three customers in SQLite, and a sync of them into the empty table."""
    project = Project(tmp_path)
    fill(tmp_path / "shop.db", [*ROWS])
    connect(project, server)
    project.write("crm_customers.yaml", SYNC)
    server.run(TABLE)
    return project


def connect(project: Project, server: Snowflake) -> None:
    """Writes ``connections.yaml``."""
    text = CONNECTIONS.format(
        shop=SHOP, account=ACCOUNT, port=server.port, user=server.user, password=server.password_variable
    )
    project.write("connections.yaml", text)


class TestRun(SqlRun):
    """As the suite says."""

    column = "ID NUMBER(38,0)"
    keys = "PRIMARY KEY (ID) (not enforced), UNIQUE (EMAIL) (not enforced)"
    steps: ClassVar[list[str]] = ["address", "port", "TLS", "log in", "server", "warehouse", "temporary tables"]


@pytest.mark.thorough
def test_rows_are_compared_and_deleted(crm: Project, server: Snowflake) -> None:
    """Only what this sync wrote; the plan says so before, and the right is asked for."""
    server.run("INSERT INTO customers VALUES (77, 'own@x', 'free')")
    sync = SYNC.replace("identify_by: id}", "identify_by: id, gone: delete}")
    crm.write("crm_customers.yaml", f"{sync}changes: {{by: compare}}\n")
    lacking = crm.reverse_etl("run", "crm_customers")
    assert (5, True) == (lacking.returncode, "GRANT DELETE" in lacking.stdout + lacking.stderr)
    server.run(f"GRANT DELETE ON TABLE CRM.PUBLIC.CUSTOMERS TO ROLE {ROLE}")
    code, report = crm.run("crm_customers")
    assert 0 == code, report
    fill(crm.folder / "shop.db", [(1, "new@x", "free")])
    planned = json.loads(crm.reverse_etl("plan", "crm_customers", "--json").stdout)
    assert (2, 2) == (planned["streams"]["rows"]["gone"], planned["streams"]["rows"]["to_remove"]), planned
    code, report = crm.run("crm_customers", "--plan", planned["plan_id"])
    assert (0, 2) == (code, report["gone_rows"]["delivered"]), report
    assert [(1, "new@x", "free"), (77, "own@x", "free")] == stored(server)


@pytest.mark.thorough
def test_rows_are_shaped(crm: Project, server: Snowflake) -> None:
    """`where` and `columns`, with the table's names in any case."""
    columns = "columns:\n  ID: {column: number, as: integer}\n  Email: {column: email, then: upper}\n"
    query = SYNC.replace("SELECT id, email, plan", "SELECT CAST(id AS TEXT) AS number, email, plan")
    query = query.replace("identify_by: id", "identify_by: ID")
    crm.write("crm_customers.yaml", f"{query}where:\n  plan: {{is_not: pro}}\n{columns}")
    code, report = crm.run("crm_customers")
    assert (0, 2, 1) == (code, report["rows"]["delivered"], report["rows"]["excluded"]), report
    assert [(1, "A@X", None), (3, "C@X", None)] == stored(server)
