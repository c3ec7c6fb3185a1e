"""What the state's tests share: a fresh state database, as a SQLite file and as a schema of a real PostgreSQL."""

from __future__ import annotations

import subprocess
import uuid
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from reverse_etl.changeset.failed_rows import batches_of
from reverse_etl.report import Counts, FailedRow, Reason, RunReport, Status
from reverse_etl.state.home import STATE_FILE
from reverse_etl.state.runs import Reading, begin_run, close_run
from reverse_etl.state.store import Store, open_store
from reverse_etl_tests.fresh_store import fresh_store
from reverse_etl_tests.servers.postgres import PostgresServer, find_binaries, postgres

__all__ = ["NOON", "begin", "close", "failed_row", "fresh_schema", "postgres", "report"]

_FILE = "sqlite:///"
_MADE = "schema_of_the_copies"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres_url(postgres: PostgresServer) -> str:
    """The URL of a database of our own on a private PostgreSQL server, as one who may make schemas there."""
    with postgres.admin() as connection:
        connection.execute("CREATE DATABASE reverse_etl_state")
    return f"postgresql://postgres@/reverse_etl_state?host={quote(str(postgres.folder), safe='')}&port={postgres.port}"


@pytest.fixture(params=["sqlite", "postgres"])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty state database, of each kind in turn."""
    if request.param == "sqlite":
        return f"{_FILE}{tmp_path / 'home' / STATE_FILE}"
    return fresh_schema(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(request: pytest.FixtureRequest, state_url: str) -> Store:
    """An open store in which nothing is remembered yet."""
    if state_url.startswith(_FILE):
        return fresh_store(Path(state_url.removeprefix(_FILE)).parent)
    tables: str = request.getfixturevalue("tables_of_postgres")
    with psycopg.connect(request.getfixturevalue("postgres_url")) as connection:
        connection.execute(tables.replace(_MADE, _schema_of(state_url)))
    return open_store(state_url)


@pytest.fixture(scope="session")
def tables_of_postgres(postgres_url: str) -> str:
    """The statements that make what all migrations make, in the schema ``_MADE``: in a tenth of the time."""
    made = fresh_schema(postgres_url)
    open_store(made).close()
    binaries = find_binaries()
    assert binaries is not None
    command = [binaries / "pg_dump", "-d", postgres_url, "-n", _schema_of(made), "--no-owner", "--inserts"]
    dump = subprocess.run(command, check=True, capture_output=True, text=True).stdout.replace(_schema_of(made), _MADE)
    # The schema exists, and what begins with a backslash is for psql.
    passed_over = ("\\", "--", f"CREATE SCHEMA {_MADE};")
    return "\n".join(line for line in dump.splitlines() if not line.startswith(passed_over))


def _schema_of(url: str) -> str:
    return url.rpartition("%3D")[2]


def fresh_schema(url: str) -> str:
    """The URL with an empty schema of its own in front of all others."""
    schema = f"t{uuid.uuid4().hex}"
    with psycopg.connect(url) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
    return f"{url}&options=-csearch_path%3D{schema}"


def failed_row(number: int, *, reason: str = "email_valid", identifier: str = "7", query: str = "rows") -> FailedRow:
    """A failed row of the stage ``check``."""
    return FailedRow(number, query, identifier, "check", Reason(reason, "email", f"broke {reason}."))


def report(
    run_id: str = "r1", *, status: Status = Status.COMPLETED, sync: str = "people", at: datetime = NOON
) -> RunReport:
    """A run of 5 s with three rows."""
    rows = Counts(extracted=3, delivered=2, rejected=1) if status is Status.SOME_ROWS_FAILED else Counts(3, 3)
    return RunReport(sync, run_id, status, at, duration_s=5.0, streams={"rows": rows})


def begin(
    store: Store, run_id: str = "r1", *, since: int = 0, sync: str = "people", at: datetime = NOON, root: str = ""
) -> None:
    """Begins a run in workspace main."""
    begin_run(store, run_id, root_run_id=root or run_id, sync=sync, workspace="main", started_at=at, since=since)


def close(
    store: Store,
    ended: RunReport,
    *,
    moved: int | None = None,
    failed: tuple[FailedRow, ...] = (),
    root: str = "",
    sent: int | None = None,
    place: str = "",
) -> RunReport:
    """Closes a run in workspace main."""
    return close_run(
        store,
        ended,
        root_run_id=root or ended.run_id,
        workspace="main",
        failed_rows=batches_of(failed),
        new_last_sync_time=moved,
        sent_as_of=sent,
        read=Reading(place=place),
    )
