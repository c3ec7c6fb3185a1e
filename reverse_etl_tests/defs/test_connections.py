"""How many connections a server sees of a due tick, and that a restarted server loses none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
import sqlalchemy as sa

from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.state.kept import kept_store
from reverse_etl.state.store import open_store
from reverse_etl_tests.defs.daemon import Daemon, shipped_instance
from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.postgres import PostgresServer, postgres

__all__ = ["postgres"]

DUE = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
QUEUED = [dg.DagsterRunStatus.QUEUED]
END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'kept'"


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    """A database of its own."""
    with postgres.admin("postgres") as admin:
        admin.execute("CREATE DATABASE kept")
        yield f"postgresql+psycopg2://postgres@/kept?host={quote(str(postgres.folder), safe='')}&port={postgres.port}"
        admin.execute("DROP DATABASE kept WITH (FORCE)")


@contextmanager
def connections() -> Iterator[list[object]]:
    """What is opened meanwhile, by whichever engine of this process."""
    opened: list[object] = []

    def note(connection: object, record: object) -> None:
        opened.append(connection)

    sa.event.listen(sa.Engine, "connect", note)
    try:
        yield opened
    finally:
        sa.event.remove(sa.Engine, "connect", note)


@pytest.mark.thorough
def test_a_tick_that_queues_a_run_opens_few_connections(
    url: str, postgres: PostgresServer, loaded: ProjectConfig, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most fifty, Dagster's and those of our state together; and ends of all of them lose no tick."""
    project.write("people.yaml", people().replace("manual", f"{{every: 1h, start_at: {DUE:%Y-%m-%dT%H:%M:%SZ}}}"))
    monkeypatch.setenv("REVERSE_ETL_SYNCS", str(Path(loaded.directory)))
    monkeypatch.setenv("REVERSE_ETL_STATE_URL", url.replace("+psycopg2", ""))
    with shipped_instance(url) as instance, Daemon.of(instance) as daemon:
        daemon.ticks(DUE - timedelta(minutes=1))
        for hour, most in enumerate((50, 15, 50), start=1):
            with connections() as opened:
                daemon.ticks(DUE + timedelta(hours=hour, seconds=1))
            (run,) = instance.get_runs(dg.RunsFilter(statuses=QUEUED))
            instance.report_run_canceled(run)
            assert 0 < len(opened) <= most
            if hour == 2:
                with postgres.admin("postgres") as admin:
                    admin.execute(END_ALL)


@pytest.mark.thorough
def test_a_kept_store_opens_one_connection_until_the_server_ends_it(url: str, postgres: PostgresServer) -> None:
    """The next use has another one; a store that is opened for a run keeps none."""
    url = url.replace("+psycopg2", "")
    open_store(url)
    with connections() as opened:
        for _ in range(3):
            with kept_store(url).reading() as connection:
                connection.execute(sa.text("SELECT 1"))
        assert 1 == len(opened)
        with postgres.admin("postgres") as admin:
            admin.execute(END_ALL)
        with kept_store(url).writing() as connection:
            connection.execute(sa.text("SELECT 1"))
        assert 2 == len(opened)
        open_store(url)
        assert 3 == len(opened)
    kept_store(url).close()
