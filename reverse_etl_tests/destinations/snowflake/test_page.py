"""What Snowflake's page shows can be used as it is, and rows of a DataFrame go there too."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from reverse_etl import DestinationResource
from reverse_etl.config.connections import FOLDER
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.destinations._sql.config import Rows
from reverse_etl.destinations.snowflake.config import Config
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.snowflake.server import ROLE, Snowflake
from reverse_etl_tests.destinations.snowflake.test_run import connect
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.pages import PAGES
from reverse_etl_tests.destinations.sql.steps import SqlSteps
from reverse_etl_tests.destinations.sql.tables import SqlServer, delivered
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers._snowflake_login import ACCOUNT
from reverse_etl_tests.servers.snowflake import PASSPHRASE_VARIABLE


def blocks(kind: str) -> list[str]:
    """Those of the page in a language."""
    text = (PAGES / "snowflake.md").read_text(encoding="utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def test_the_files_that_it_shows_are_valid(tmp_path: Path) -> None:
    """Every key is in one of the destinations' entries."""
    *entries, rows = map(yaml.safe_load, blocks("yaml"))
    shown = {name: entry for each in entries for name, entry in each["destinations"].items()}
    configs = {name: Config.model_validate(entry, context={FOLDER: tmp_path}) for name, entry in shown.items()}
    assert set(Config.keys()) == {key for entry in shown.values() for key in entry}
    assert ("Europe/Berlin", 50_000) == (configs["crm"].timezone, configs["private_link"].rows_per_transaction)
    assert ("id",) == Rows.model_validate(rows["rows"]).identify_by


@pytest.mark.thorough
def test_the_grants_that_it_shows_are_enough(server: Snowflake, tmp_path: Path) -> None:
    """A user with a key, this role and no other right writes to the table."""
    (grants,) = blocks("sql")
    server.run(TABLE)
    server.run("CREATE WAREHOUSE REVERSE_ETL_WH WAREHOUSE_SIZE = XSMALL")
    server.run(re.sub(r"'MII[^']+'", f"'{server.running.public_key}'", grants))
    settings = {
        "user": EnvText("REVERSE_ETL_WRITER"),
        "password": None,
        "private_key_file": server.running.key_file,
        "private_key_passphrase": Secret(f"${{{PASSPHRASE_VARIABLE}}}"),
        "warehouse": EnvText("REVERSE_ETL_WH"),
        "stage_schema": EnvText("STAGING"),
    }
    delivery = delivered(server, tmp_path, PEOPLE, settings=settings)
    assert ([1, 2, 3], {}) == (delivery.numbers(Outcome.DELIVERED), delivery.reasons())


@pytest.mark.thorough
def test_rows_of_a_frame_are_checked_and_written(server: Snowflake) -> None:
    """By the destination's settings alone: there is no folder of syncs; each row that is not written says why."""
    server.run(TABLE)
    where = {"account": ACCOUNT, "host": "localhost", "port": server.port, "protocol": "http", "warehouse": "SYNC_WH"}
    who = {"database": server.database, "user": server.user, "password": f"${{{server.password_variable}}}"}
    crm = DestinationResource(name="crm", settings={"type": server.kind, **where, **who})
    frame = pd.DataFrame({"id": [1, None, 3], "email": ["a@x", "b@x", "x" * 41], "score": [10, 20, 30]})
    pushed = crm.push(frame, rows={"table": "customers", "identify_by": "id"})
    assert (3, 1) == (pushed.counts.extracted, pushed.counts.delivered)
    assert [(2, "identifier_present"), (3, "too_long")] == [
        (row.row_number, row.why.reason) for row in sorted(pushed.failed_rows, key=lambda row: row.row_number)
    ]
    assert [(1, "a@x")] == server.fetch("SELECT id, email FROM customers")


@pytest.mark.thorough
class TestSteps(SqlSteps):
    """``docs/destinations/tables.md``."""

    def connect(self, project: Project, server: SqlServer) -> None:
        """By account."""
        assert isinstance(server, Snowflake)
        connect(project, server)

    def grant_delete(self, server: SqlServer) -> None:
        """On the page's table."""
        server.run(f"GRANT DELETE ON TABLE CRM.PUBLIC.CUSTOMERS TO ROLE {ROLE}")
