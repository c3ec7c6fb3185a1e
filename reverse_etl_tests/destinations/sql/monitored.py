"""The state's views in tables of a database. Subclass it beside each suite; the tables are those of the page."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

import reverse_etl
from reverse_etl.config.inline import parse_destination
from reverse_etl.config.monitoring import MonitoringConfig
from reverse_etl.report import Status
from reverse_etl.run.monitoring import copy, copy_after_run
from reverse_etl.state.store import Store
from reverse_etl.state.views import KEYS
from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.fresh_store import fresh_store
from reverse_etl_tests.state.test_views import ran

PAGE = Path(reverse_etl.__file__).parents[1] / "docs" / "monitoring.md"
MONITORING = MonitoringConfig(database="warehouse")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A state with two runs of a sync."""
    store = fresh_store(tmp_path)
    ran(store, "r1", rows=20, failed=3, ago=timedelta(days=1))
    ran(store, "r2", rows=20)
    return store


class SqlMonitored:
    """What is there after a copy is what the views have.

    Attributes:
        title: How the page calls the database.
    """

    title: ClassVar[str]

    def destination(self, server: SqlServer) -> dict[str, object]:
        """The entry of the destination."""
        where = {"host": "localhost", "port": server.port, "ca_file": str(server.ca_file)}
        who = {"database": server.database, "user": server.user, "password": f"${{{server.password_variable}}}"}
        return {"type": server.kind, **where, **who}

    def make_tables(self, server: SqlServer) -> None:
        """As the page says."""
        section = PAGE.read_text(encoding="utf-8").split(f"### Tables in {self.title}\n")[1]
        for statement in re.split(r";\n", section.split("```sql\n")[1].split("```")[0]):
            if statement.strip():
                server.run(statement)

    def test_each_view_is_copied_to_the_table_of_the_page(self, server: SqlServer, store: Store) -> None:
        """Runs once, what is known of syncs each time; a second copy doubles nothing."""
        self.make_tables(server)
        config = parse_destination("warehouse", self.destination(server))
        assert 2 == copy(MONITORING, config, store)
        ran(store, "r3", rows=20, status=Status.FAILED)
        assert 1 == copy(MONITORING, config, store)
        assert 0 == copy(MONITORING, config, store)
        for view in KEYS:
            with store.reading() as connection:
                [(rows,)] = connection.exec_driver_sql(f"SELECT count(*) FROM {view}")
            assert [(rows,)] == server.fetch(f"SELECT count(*) FROM {view}"), view
        runs = "SELECT run_id, status, rows_failed, failed_row_rate FROM sync_runs ORDER BY run_id"
        with store.reading() as connection:
            assert [tuple(row) for row in connection.exec_driver_sql(runs)] == server.fetch(runs)
        assert [("WARNING", "last_run_failed")] == server.fetch("SELECT health, reason FROM sync_health")
        [(started,)] = server.fetch("SELECT started_at FROM sync_runs WHERE run_id = 'r3'")
        with store.reading() as connection:
            [(text,)] = connection.exec_driver_sql("SELECT started_at FROM sync_runs WHERE run_id = 'r3'")
        assert f"{started:%Y-%m-%d %H:%M:%S.%f}" == text

    def test_a_copy_that_fails_is_a_sentence_and_the_next_one_copies_everything(
        self, server: SqlServer, store: Store
    ) -> None:
        """It raises nothing, whatever is wrong: a table that is missing, say."""
        config = parse_destination("warehouse", self.destination(server))
        warning = copy_after_run(MONITORING, {"warehouse": config}, store)
        assert warning.startswith("the monitoring tables were not written, the next run writes what is missing: ")
        assert "sync_runs" in warning
        self.make_tables(server)
        assert "" == copy_after_run(MONITORING, {"warehouse": config}, store)
        assert [(2,)] == server.fetch("SELECT count(*) FROM sync_runs")
        assert "" == copy_after_run(None, {}, store)
