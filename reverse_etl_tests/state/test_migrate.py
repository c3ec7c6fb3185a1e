"""The tables are made and kept up to date by whoever comes first, and only then."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from reverse_etl.errors import StateError
from reverse_etl.report import Status
from reverse_etl.state import workspace_lease
from reverse_etl.state.alerts import sent_so_far
from reverse_etl.state.failures import causes_of_run, failed_rows_of_run
from reverse_etl.state.migrations import REVISIONS, VERSION_TABLE
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.schema import LEASE, METADATA
from reverse_etl.state.store import Store, open_store
from reverse_etl.state.syncs import every_sync, last_sync_time, record_seen, set_paused, sync_state
from reverse_etl_tests.state.aged import make_as_of
from reverse_etl_tests.state.conftest import NOON, begin, close, failed_row, report

RACE = """
import sys
from datetime import UTC, datetime
from reverse_etl.state.runs import begin_run
from reverse_etl.state.store import open_store
print("ready", flush=True)
sys.stdin.readline()
store = open_store(sys.argv[1])
begin_run(store, sys.argv[2], root_run_id="r", sync="people", workspace="main", started_at=datetime.now(UTC), since=0)
"""

NO_ALEMBIC = """
import sys
from reverse_etl.state.store import open_store
open_store(sys.argv[1])
print("alembic" in sys.modules)
"""


@pytest.mark.thorough
def test_the_migrations_lead_to_the_tables_of_this_release(state_url: str) -> None:
    """Nothing is left to change between the migrated database and the schema in the code."""
    with open_store(state_url).reading() as connection:
        ours = {"include_name": lambda name, kind, _: kind != "table" or name in METADATA.tables}
        assert [] == compare_metadata(MigrationContext.configure(connection, opts=ours), METADATA)


def test_every_migration_is_listed() -> None:
    """The list that spares loading Alembic is what Alembic finds, in order."""
    config = Config()
    config.set_main_option("script_location", "reverse_etl.state:migrations")
    config.set_main_option("path_separator", "os")
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert REVISIONS == tuple(reversed(found))


@pytest.mark.thorough
def test_processes_that_open_a_fresh_state_at_once_all_succeed(state_url: str) -> None:
    """Six processes, released at the same moment, each write their run."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, state_url, f"r{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    failures = [errors for racer in racers if (errors := racer.communicate(timeout=60)[1])]
    assert [] == failures
    assert 6 == len(list_runs(open_store(state_url)))


@pytest.mark.thorough
def test_a_current_database_is_opened_without_alembic(state_url: str) -> None:
    """Opening is what every command does, and Alembic takes longer to import than the command to run."""
    command = [sys.executable, "-c", NO_ALEMBIC, state_url]
    assert ["True", "False"] == [subprocess.check_output(command, text=True).strip() for _ in range(2)]


def test_a_newer_database_is_left_alone(store: Store, state_url: str) -> None:
    """An older release says that it is too old, and what to do."""
    with store.writing() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(StateError, match="newer release: its schema is 9999") as caught:
        open_store(state_url)
    assert "pip install --upgrade" in caught.value.hint


def test_a_migration_that_fails_leaves_nothing_behind(state_url: str) -> None:
    """A table of ours is in the way: the others are not made either, and it can be tried again."""
    database = Store(state_url)
    if not database.exists():
        database.make_file()
    with database.writing() as connection:
        connection.execute(sa.text("CREATE TABLE reverse_etl_failed_cause (x INTEGER)"))
    with pytest.raises(StateError):
        open_store(state_url)
    with database.reading() as connection:
        assert ["reverse_etl_failed_cause"] == sa.inspect(connection).get_table_names()
    with database.writing() as connection:
        connection.execute(sa.text("DROP TABLE reverse_etl_failed_cause"))
    record_seen(open_store(state_url), "people", "main", NOON)


def test_the_file_is_private_and_lets_others_read_while_one_writes(tmp_path: Path) -> None:
    """Mode 0600 whatever the umask, write-ahead log on."""
    store = open_store(f"sqlite:///{tmp_path / 'made' / 'state.db'}")
    assert 0o600 == (tmp_path / "made" / "state.db").stat().st_mode & 0o777
    assert 0o700 == (tmp_path / "made").stat().st_mode & 0o777
    with store.reading() as connection:
        assert "wal" == connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    with store.writing(), store.reading() as connection:
        assert 0 == connection.exec_driver_sql("SELECT count(*) FROM reverse_etl_run").scalar()


@pytest.mark.thorough
@pytest.mark.parametrize("revision", ["0001", "0003", "0007"])
def test_an_earlier_release_s_database_loses_nothing(revision: str, state_url: str, tmp_path: Path) -> None:
    """Syncs, runs, failed rows and their causes are there; what that release did not keep is not known."""
    like = open_store(f"sqlite:///{tmp_path / 'like' / 'state.db'}")
    record_seen(like, "orders", "main", NOON)
    set_paused(like, "orders", True)
    begin(like, "r1")
    close(like, report("r1"), moved=1000)
    begin(like, "r2", since=1000)
    close(like, report("r2", status=Status.SOME_ROWS_FAILED), failed=(failed_row(1), failed_row(2, reason="x")))
    begin(like, "r3", since=1000)
    make_as_of(state_url, revision, like)

    store = open_store(state_url)

    unknown: dict[str, Any] = {"reaches_to": None, "clock_ahead_s": None, "asked": {}, "recipient": None}
    assert [replace(each, **unknown) for each in every_sync(like)] == every_sync(store)
    assert list_runs(like) == list_runs(store)
    for run in ("r1", "r2", "r3"):
        assert list(failed_rows_of_run(like, run)) == list(failed_rows_of_run(store, run))
        assert causes_of_run(like, run) == causes_of_run(store, run)
    assert 1000 == last_sync_time(store, "people")
    assert 400 == sync_state(store, "people").before().mark.reach(None)
    close(store, report("r3"), moved=2000)
    assert 2000 == last_sync_time(store, "people")


def test_a_lease_and_what_a_channel_was_sent_outlive_their_new_names(state_url: str, tmp_path: Path) -> None:
    """A run of the earlier release still holds its workspace, and no alert is sent twice."""
    make_as_of(state_url, "0013", open_store(f"sqlite:///{tmp_path / 'like' / 'state.db'}"))
    database = Store(state_url)
    names = [column.name for column in LEASE.columns]
    with database.writing() as connection:
        values = dict.fromkeys(names) | {"workspace": "main", "run_id": "r1", "sync": "people", "machine": "another"}
        values |= {"taken_at": database.now(connection), "beat_at": database.now(connection)}
        turns = sa.table("reverse_etl_turn", *(sa.column(name, LEASE.c[name].type) for name in names))
        connection.execute(sa.insert(turns).values(values))
        connection.execute(
            sa.text("INSERT INTO reverse_etl_alert (channel, sync, told) VALUES ('team', 'people', 'x')")
        )

    store = open_store(state_url)

    lease = workspace_lease.holder(store, "main")
    assert ("r1", {("team", "people"): "x"}) == (lease and lease.run_id, sent_so_far(store))
