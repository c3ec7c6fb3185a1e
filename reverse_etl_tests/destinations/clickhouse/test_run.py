"""A sync from SQLite into a table of ClickHouse, as a user runs it."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from reverse_etl_tests.destinations.clickhouse.server import Clickhouse
from reverse_etl_tests.destinations.sql.runs import ROWS, SYNC, Engine, SqlRun, SqlRuns, crm, stored
from reverse_etl_tests.project import Project, fill

__all__ = ["crm"]


class ClickhouseEngine(Engine):
    """As the suite says."""

    column = "id Int64"
    keys = "ReplacingMergeTree ORDER BY (id): the last of a key counts"
    rights = "SELECT, INSERT, ALTER DELETE"
    steps: ClassVar[list[str]] = ["address", "port", "TLS", "log in", "server", "writes"]
    # The engine has no rights.
    revoke = "SELECT 1"
    grant_delete = "SELECT 1"

    def make_slow(self, server: Clickhouse) -> None:  # type: ignore[override]
        """By a view of what is inserted."""
        view = "CREATE MATERIALIZED VIEW writes ENGINE = MergeTree ORDER BY tuple()"
        server.run(f"{view} AS SELECT id, sleepEachRow(0.005) AS slept FROM customers")


class TestRun(ClickhouseEngine, SqlRun):
    """As the suite says."""


@pytest.mark.thorough
class TestRuns(ClickhouseEngine, SqlRuns):
    """Likewise, but for unique columns and references between tables, which there are not."""

    def test_bad_rows_are_failed_rows(self, crm: Project, server: Clickhouse) -> None:  # type: ignore[override]
        """The others arrive; `errors` names each row, its check and column."""
        bad = [(5, "e@x", "bad"), (None, "n@x", "free"), (7, "g@x", "x")]
        fill(crm.folder / "shop.db", [*ROWS, *bad])
        code, report = crm.run("crm_customers")
        assert (7, "some_rows_failed", 4) == (code, report["status"], report["rows"]["delivered"]), report
        assert [1, 2, 3, 7] == [row[0] for row in stored(server)]
        rows = json.loads(crm.reverse_etl("errors", "crm_customers", "--json").stdout)["failed_rows"]
        assert ("5", "breaks_check", "plan") in {(row["identifier"], row["reason"], row["field"]) for row in rows}

    def test_append_adds_what_each_run_reads(self, crm: Project, server: Clickhouse) -> None:  # type: ignore[override]
        """In a table that replaces nothing."""
        server.engine = "MergeTree"
        super().test_append_adds_what_each_run_reads(crm, server)

    def test_append_adds_once_what_compares(self, crm: Project, server: Clickhouse) -> None:  # type: ignore[override]
        """Likewise."""
        server.engine = "MergeTree"
        super().test_append_adds_once_what_compares(crm, server)

    @pytest.mark.thorough
    def test_what_is_wrong_ends_the_run_before_the_rows_are_read(  # type: ignore[override]
        self, crm: Project, server: Clickhouse
    ) -> None:
        """As if the right to insert were not there."""
        server.running.go_wrong("INSERT .* WHERE 0$", 9, **{"raise": 497})
        super().test_what_is_wrong_ends_the_run_before_the_rows_are_read(crm, server)

    def test_rows_that_are_gone_are_deleted(self, crm: Project, server: Clickhouse) -> None:  # type: ignore[override]
        """Only this sync's rows."""
        server.run("INSERT INTO customers VALUES (77, 'own@x', 'free')")
        sync = SYNC.replace("identify_by: id}", "identify_by: id, gone: delete}")
        crm.write("crm_customers.yaml", sync + "changes: {by: compare}\n")
        code, report = crm.run("crm_customers")
        assert 0 == code, report
        fill(crm.folder / "shop.db", [ROWS[0]])
        planned = json.loads(crm.reverse_etl("plan", "crm_customers", "--json").stdout)
        assert (2, 2) == (planned["streams"]["rows"]["gone"], planned["streams"]["rows"]["to_remove"]), planned
        code, report = crm.run("crm_customers", "--plan", planned["plan_id"])
        assert (0, 2) == (code, report["gone_rows"]["delivered"]), report
        assert [1, 77] == [row[0] for row in stored(server)]
