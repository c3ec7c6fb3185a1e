"""``docs/destinations/tables.md``, executed: its files, commands and statements. Subclass it beside each suite."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from reverse_etl.definitions import job
from reverse_etl_tests.defs.daemon import Daemon, shipped_instance
from reverse_etl_tests.destinations.sql.pages import PAGES
from reverse_etl_tests.destinations.sql.runs import connect
from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.project import Project

BLOCKS = re.findall(
    r"^```(\w+)\n(.*?)^```", (PAGES / "tables.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)
PROFILES = [
    (1, "Ann@example.com ", "Ann", "Hill", "pro"),
    (2, "ben@example.com", "Ben", None, "pro"),
    (3, "cay@example.com", "Cay", "Sun", "team"),
    (4, "dan@example.com", "Dan", "Low", "pro"),
    (9, "ivy@example.com", "Ivy", "Fox", "free"),
]
OWN = (50, "own@example.com", "Somebody Else", "pro")
"""A row of the table that no sync wrote."""


def blocks(language: str) -> list[str]:
    """The page's blocks in one language, in their order."""
    return [text for kind, text in BLOCKS if kind == language]


class SqlSteps:
    """A profile that joins, one that changes and two that leave."""

    def table(self) -> str:
        """The statement that makes the page's table."""
        return blocks("sql")[0]

    def test_the_page_step_by_step(self, server: SqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its commands, its run by hand, its schedule's next run."""
        connections, sync = blocks("yaml")
        table, shop_changes = blocks("sql")
        assert table
        project = Project(tmp_path)
        self._shop(tmp_path, PROFILES)
        project.write("connections.yaml", connections)
        project.write("crm_customers.yaml", sync)
        assert {"type", "host", "database", "user", "password"} == yaml.safe_load(connections)["destinations"][
            "crm"
        ].keys()
        self.connect(project, server)
        server.run(self.table())
        server.run(f"INSERT INTO customers VALUES {OWN}")
        self.grant_delete(server)

        assert 0 == project.reverse_etl("test-connection", "crm").returncode
        for line in [line for block in blocks("sh") for line in block.splitlines()]:
            done = project.reverse_etl(*line.split()[1:])
            assert 0 == done.returncode, (line, done.stdout, done.stderr)
        first = [
            (1, "ann@example.com", "Ann Hill", "pro"), (2, "ben@example.com", "Ben", "pro"),
            (3, "cay@example.com", "Cay Sun", "team"), (4, "dan@example.com", "Dan Low", "pro"), OWN,
        ]  # fmt: skip
        assert first == self.stored(server)

        with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
            shop.executescript(shop_changes)
        self._scheduled(project, monkeypatch, yaml.safe_load(sync)["schedule"]["start_at"])
        later = [first[0], (2, "ben@example.com", "Ben", "team"), OWN, (5, "eve@example.com", "Eve Moss", "team")]
        assert sorted(later) == self.stored(server)

    def stored(self, server: SqlServer) -> list[tuple[object, ...]]:
        """The table's rows."""
        return server.fetch("SELECT id, email, full_name, plan FROM customers ORDER BY id")

    def connect(self, project: Project, server: SqlServer) -> None:
        """Writes ``connections.yaml`` for the tests' server in the place of the page's."""
        connect(project, server)

    def grant_delete(self, server: SqlServer) -> None:
        """Lets the user delete."""
        raise NotImplementedError

    def _shop(self, folder: Path, profiles: list[tuple[object, ...]]) -> None:
        with closing(sqlite3.connect(folder / "shop.db")) as shop, shop:
            shop.execute("CREATE TABLE profiles (id, email, first_name, last_name, plan)")
            shop.executemany("INSERT INTO profiles VALUES (?, ?, ?, ?, ?)", profiles)

    def _scheduled(self, project: Project, monkeypatch: pytest.MonkeyPatch, start_at: datetime) -> None:
        """The daemon's tick at the next due time, and the run that it launches."""
        monkeypatch.setenv("REVERSE_ETL_HOME", str(project.folder / "home"))
        monkeypatch.setenv("REVERSE_ETL_SYNCS", str(project.folder / "syncs"))
        with shipped_instance() as instance, Daemon.of(instance) as daemon:
            daemon.ticks(start_at - timedelta(minutes=1))
            daemon.ticks(start_at + timedelta(hours=1, seconds=1))
            (run_id,) = daemon.dequeue()
            run = instance.get_run_by_id(run_id)
            assert run is not None
            recipe = InMemoryJob(job(str(project.folder / "syncs"), "crm_customers"))
            assert execute_run(recipe, run, instance).success
