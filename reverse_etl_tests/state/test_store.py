"""Whatever is wrong with the state database is one sentence, with what to do, and without secrets."""

from __future__ import annotations

import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from reverse_etl.errors import MissingDriverError, StateError
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.runs import close_run
from reverse_etl.state.store import Store, open_store
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.servers.postgres import PostgresServer
from reverse_etl_tests.state.conftest import NOON, begin, fresh_schema, report


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where an SQLite state would lie."""
    return tmp_path / "state.db"


@pytest.mark.parametrize(
    "url",
    ["", "state.db", "mysql://u:planted@h/d", "postgresql://u:planted@h:port/d", "postgresql+asyncpg://u:planted@h/d"],
)
def test_a_url_that_cannot_be_used_is_not_shown(url: str) -> None:
    """The hint says how to write one; the URL itself may hold a password."""
    with pytest.raises(StateError, match="cannot be used") as caught:
        open_store(url)
    assert "REVERSE_ETL_STATE_URL" in caught.value.hint
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_state_without_a_file_is_refused(url: str) -> None:
    """It would be forgotten with the process."""
    with pytest.raises(StateError, match="needs a file"):
        open_store(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_postgres_url_means_the_same_driver(scheme: str) -> None:
    """The place is named by host and database, never by user or password."""
    assert "state database d at h:5433" == Store(f"{scheme}://u:planted@h:5433/d").place


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that installs it is in the hint."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDriverError, match="psycopg") as caught:
        open_store("postgresql://h/d")
    assert "reverse-etl[postgres]" in caught.value.hint


def test_a_locked_file_is_waited_for_and_then_an_error(file: Path) -> None:
    """Another program keeps the lock for longer than the patience."""
    store = open_store(f"sqlite:///{file}?timeout=0.05")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match=f"state database {file} is locked by another process"):
            begin(store)
        other.execute("ROLLBACK")
    begin(store)


def test_a_file_that_is_no_database_is_an_error(file: Path) -> None:
    """Somebody wrote something else there."""
    file.write_text("planted " * 1000)
    with pytest.raises(StateError, match="is damaged, or is not a state database") as caught:
        open_store(f"sqlite:///{file}")
    assert "planted" not in str(caught.value)


def test_a_path_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    """A folder of that name; a file where a folder should be."""
    with pytest.raises(StateError, match="cannot be opened") as caught:
        open_store(f"sqlite:///{tmp_path}")
    assert "REVERSE_ETL_HOME" in caught.value.hint
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be made: Not a directory"):
        open_store(f"sqlite:///{tmp_path}/file/state.db")


def test_a_full_disk_is_an_error_and_nothing_is_written(file: Path) -> None:
    """The transaction is undone; the hint says that nothing is lost."""
    store = open_store(f"sqlite:///{file}")
    with pytest.raises(StateError, match="the disk is full") as caught:
        _fill(store)
    assert "nothing is lost" in caught.value.hint
    assert [] == list_runs(open_store(f"sqlite:///{file}"))


def _fill(store: Store) -> None:
    """Lets SQLite itself run out of room, in the middle of a transaction that has written before."""
    with store.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.exec_driver_sql("UPDATE reverse_etl_version SET version_num = '0000'")
        connection.exec_driver_sql("INSERT INTO reverse_etl_version VALUES (hex(zeroblob(100000)))")


def test_other_errors_hold_no_values(store: Store) -> None:
    """What the driver says of a broken constraint would quote the row."""
    begin(store)
    with pytest.raises(StateError, match="answered with an error") as caught, store.writing() as connection:
        connection.execute(sa.text("INSERT INTO reverse_etl_sync (name) VALUES ('planted')"))
    assert "planted" not in f"{caught.value}{caught.value.__cause__}"


def test_an_unreachable_server_is_an_error() -> None:
    """Nobody listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(StateError, match=f"d at 127.0.0.1:{port} cannot be reached") as caught:
            open_store(f"postgresql://u:planted@127.0.0.1:{port}/d")
    assert "planted" not in str(caught.value)


def test_a_database_that_is_not_there_is_an_error(postgres_url: str) -> None:
    """The server is, the database is not."""
    url = sa.make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(StateError, match=r"nowhere at .* does not exist"):
        open_store(url)


@pytest.mark.parametrize("login", ["reader:planted@127.0.0.1:{port}", "nobody@127.0.0.1:{port}", "nobody@"])
def test_a_refused_login_is_an_error(postgres: PostgresServer, login: str) -> None:
    """A wrong password, a user whom the server lets in from nowhere, a user it does not know."""
    query = {"host": str(postgres.folder), "port": str(postgres.port)} if login.endswith("@") else {}
    url = sa.make_url(f"postgresql://{login.format(port=postgres.port)}/shop").update_query_dict(query)
    with pytest.raises(StateError, match="refused the login") as caught:
        open_store(url.render_as_string(hide_password=False))
    assert "planted" not in str(caught.value)


def test_a_server_that_only_reads_is_an_error(postgres_url: str) -> None:
    """A standby, or a user without rights."""
    url = fresh_schema(postgres_url)
    with pytest.raises(StateError, match="does not let this user read and write"):
        open_store(f"{url}%20-cdefault_transaction_read_only%3Don")


def test_a_server_that_goes_away_is_an_error(postgres_url: str) -> None:
    """The connection is cut in the middle of a transaction; the next call works again."""
    store = open_store(fresh_schema(postgres_url))
    with pytest.raises(StateError, match="cannot be reached"), store.writing() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert 0 == last_sync_time(store, "people")


def test_a_locked_table_is_waited_for_and_then_an_error(postgres_url: str) -> None:
    """Another process holds a table that is to be read."""
    url = fresh_schema(postgres_url)
    store, hasty = open_store(url), open_store(f"{url}%20-clock_timeout%3D50")
    begin(store)
    with store.writing() as connection:
        connection.execute(sa.text("LOCK TABLE reverse_etl_run"))
        with pytest.raises(StateError, match="locked by another process"):
            list_runs(hasty)
    ended = close_run(hasty, report(), root_run_id="r1", workspace="main", failed_rows=(), new_last_sync_time=NOON.year)
    assert NOON.year == ended.last_sync_time
