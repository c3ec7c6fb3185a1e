"""What servers tell of a run's start: which transactions are open, and up to when a replica's data is complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.sources import connect
from reverse_etl.sources.base import Start, start_of
from reverse_etl_tests.servers.postgres import USER, WATCHER, PostgresServer, standby_of
from reverse_etl_tests.servers.sandbox import wait_until
from reverse_etl_tests.sources.test_postgres import settings_of

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def standby(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A standby of this worker's server."""
    with standby_of(postgres) as server:
        yield server


def start(server: PostgresServer, user: str = WATCHER) -> Start:
    """What the server says now."""
    with connect(settings_of(server, user=EnvText(user))) as session:
        return start_of(session)


def value(connection: Any, sql: str) -> datetime:
    """The only value of a query."""
    found: datetime = connection.execute(sql).fetchone()[0]
    return found


def test_postgres_reaches_back_to_the_oldest_open_transaction(postgres: PostgresServer) -> None:
    """Whatever it has done so far; without one, to the clock."""
    alone = start(postgres)
    assert alone.clock == alone.data_at == alone.reaches_to
    assert abs(alone.clock - datetime.now(UTC)) < 5 * SECOND
    with closing(postgres.session()) as writer:
        writer.execute("BEGIN")
        began = value(writer, "SELECT now()")
        found = start(postgres)
        assert abs((found.reaches_to or found.clock) - began) < timedelta(milliseconds=1)
        assert (found.begun_by, found.missing) == (None, "")
    assert start(postgres).reaches_to != found.reaches_to


def test_postgres_names_the_grant_without_which_transactions_are_not_seen(postgres: PostgresServer) -> None:
    """A plain reader is told so rather than that nothing is open."""
    with closing(postgres.session()) as writer:
        writer.execute("BEGIN")
        writer.execute("SELECT 1")
        found = start(postgres, USER)
    assert found.reaches_to is None
    assert f'GRANT pg_read_all_stats TO "{USER}"' in found.missing


def test_postgres_says_since_when_a_transaction_is_prepared_at_the_latest(postgres: PostgresServer) -> None:
    """Its start is not known, only that it had begun."""
    with closing(postgres.session()) as writer:
        writer.execute("CREATE TABLE IF NOT EXISTS prepared (a int)")
        writer.execute("BEGIN")
        began = value(writer, "SELECT now()")
        writer.execute("INSERT INTO prepared VALUES (1)")
        writer.execute("PREPARE TRANSACTION 'start'")
        try:
            found = start(postgres)
            assert found.begun_by is not None
            assert began < found.begun_by < began + 5 * SECOND
            assert found.reaches_to == found.clock
        finally:
            writer.execute("ROLLBACK PREPARED 'start'")
            writer.execute("DROP TABLE prepared")
    assert start(postgres).begun_by is None


def test_sessions_of_ours_hold_nobody_back(postgres: PostgresServer) -> None:
    """Another sync that reads for an hour only reads."""
    settings = settings_of(postgres, user=EnvText(WATCHER))
    with connect(settings) as reader, closing(reader.stream("SELECT * FROM generate_series(1, 200000) AS a")) as stream:
        next(stream)
        found = start(postgres)
        assert found.reaches_to == found.clock


def test_a_standbys_data_is_as_old_as_what_it_has_replayed(postgres: PostgresServer, standby: PostgresServer) -> None:
    """While replay is paused, the time stands still; afterwards it goes on, also where nothing is written."""
    with postgres.admin() as primary, standby.admin() as replica:
        primary.execute("CREATE TABLE IF NOT EXISTS replayed (a int)")
        postgres.catch_up(standby)
        replica.execute("SELECT pg_wal_replay_pause()")
        before = start(standby)
        primary.execute("INSERT INTO replayed VALUES (1)")
        committed = value(primary, "SELECT clock_timestamp()")
        paused = start(standby)
        assert paused.data_at is not None
        assert paused.data_at < committed
        assert paused.clock >= committed
        assert paused.reaches_to is None, "the primary's transactions are not seen here"
        replica.execute("SELECT pg_wal_replay_resume()")
        postgres.catch_up(standby)
        wait_until(lambda: (start(standby).data_at or before.clock) > paused.data_at)
        assert (start(standby, USER).data_at or before.clock) > paused.data_at, "a plain reader sees the last commit"
        primary.execute("DROP TABLE replayed")


def test_a_standby_that_has_replayed_no_commit_is_as_old_as_its_last_checkpoint(postgres: PostgresServer) -> None:
    """It was just started: the clock would be too late."""
    with standby_of(postgres) as fresh:
        found = start(fresh, USER)
    assert found.data_at is not None
    assert found.data_at <= found.clock
