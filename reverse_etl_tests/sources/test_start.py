"""What servers tell of a run's start: which transactions are open, and up to when a replica's data is complete."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.sources import connect
from reverse_etl.sources.base import Start, start_of
from reverse_etl_tests.servers.mariadb import USER as MARIADB_USER
from reverse_etl_tests.servers.mariadb import WATCHER as MARIADB_WATCHER
from reverse_etl_tests.servers.mariadb import MariadbServer
from reverse_etl_tests.servers.postgres import USER, WATCHER, PostgresServer, standby_of
from reverse_etl_tests.servers.sandbox import wait_until
from reverse_etl_tests.servers.tds import TdsServer
from reverse_etl_tests.sources import test_mysql, test_sqlserver
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
    """A plain reader learns that rather than that nothing is open."""
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


def test_sessions_of_ours_hold_no_run_back(postgres: PostgresServer) -> None:
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


def of_mariadb(server: MariadbServer, user: str = MARIADB_WATCHER) -> Start:
    """What MariaDB says now."""
    with connect(test_mysql.settings_of(server, user=EnvText(user))) as session:
        return start_of(session)


def test_mariadb_reaches_back_to_the_oldest_open_transaction(mariadb: MariadbServer) -> None:
    """In whole seconds; a transaction that only reads holds no run back."""
    alone = of_mariadb(mariadb)
    assert alone.reaches_to is not None
    assert SECOND <= alone.clock - alone.reaches_to < 3 * SECOND
    with mariadb.admin() as writer:
        writer.execute("CREATE TABLE IF NOT EXISTS open_rows (a INT) ENGINE = InnoDB")
        writer.execute("BEGIN")
        writer.execute("INSERT INTO open_rows VALUES (1)")
        writer.execute("SELECT UTC_TIMESTAMP(6)")
        began = writer.fetchone()[0].replace(tzinfo=UTC)
        wait_until(lambda: datetime.now(UTC) > began + 2.2 * SECOND)
        found = of_mariadb(mariadb)
        assert found.reaches_to is not None
        assert found.reaches_to <= began < found.clock - 2 * SECOND
        writer.execute("ROLLBACK")
        writer.execute("START TRANSACTION READ ONLY")
        writer.execute("SELECT * FROM open_rows")
        # InnoDB renews its list only where it was not read for a tenth of a second.
        wait_until(lambda: (of_mariadb(mariadb).reaches_to or began) > began + SECOND, every_s=0.15)
        writer.execute("ROLLBACK")
        writer.execute("DROP TABLE open_rows")


@pytest.mark.thorough
def test_mariadb_shows_a_prepared_transaction_whose_session_is_gone(mariadb: MariadbServer) -> None:
    """It may be committed at any time, from any session."""
    with mariadb.admin() as writer:
        writer.execute("CREATE TABLE IF NOT EXISTS prepared_rows (a INT) ENGINE = InnoDB")
        writer.execute("XA START 'gone'")
        writer.execute("INSERT INTO prepared_rows VALUES (1)")
        writer.execute("SELECT UTC_TIMESTAMP(6)")
        began = writer.fetchone()[0].replace(tzinfo=UTC)
        writer.execute("XA END 'gone'")
        writer.execute("XA PREPARE 'gone'")
    wait_until(lambda: datetime.now(UTC) > began + 2.2 * SECOND)
    found = of_mariadb(mariadb)
    with mariadb.admin() as other:
        other.execute("XA ROLLBACK 'gone'")
        other.execute("DROP TABLE prepared_rows")
    assert found.reaches_to is not None
    assert found.reaches_to <= began < found.clock - 2 * SECOND


@pytest.mark.thorough
def test_mariadb_keeps_no_old_list_of_transactions(mariadb: MariadbServer) -> None:
    """InnoDB gives its old list as long as it is read ten times a second, as a monitor or many runs do."""
    reading, done = threading.Event(), threading.Event()

    def watch() -> None:
        with mariadb.admin() as monitor:
            while not done.wait(0.02):
                monitor.execute("SELECT COUNT(*) FROM information_schema.INNODB_TRX")
                reading.set()

    with mariadb.admin() as writer, ThreadPoolExecutor(1) as thread:
        writer.execute("CREATE TABLE IF NOT EXISTS watched_rows (a INT) ENGINE = InnoDB")
        watching = thread.submit(watch)
        try:
            assert reading.wait(60)
            writer.execute("BEGIN")
            writer.execute("INSERT INTO watched_rows VALUES (1)")
            # A busy machine lets a tenth of a second pass between two looks now and then.
            looks = (of_mariadb(mariadb) for _ in range(200))
            watched = next(look for look in looks if look.reaches_to is None)
        finally:
            done.set()
        watching.result()
        assert watched.missing == "others read the list of open transactions so often that it is never renewed"
        assert of_mariadb(mariadb).reaches_to is not None
        writer.execute("ROLLBACK")
        writer.execute("DROP TABLE watched_rows")


@pytest.mark.thorough
def test_mariadb_counts_a_statement_that_waits_for_a_lock(mariadb: MariadbServer) -> None:
    """Its NOW() is from before the wait, and it has no transaction yet."""
    with mariadb.admin() as locker, mariadb.admin() as waiter, ThreadPoolExecutor(1) as thread:
        locker.execute("CREATE TABLE IF NOT EXISTS locked_rows (a INT) ENGINE = InnoDB")
        locker.execute("LOCK TABLES locked_rows WRITE")
        before = of_mariadb(mariadb).clock
        waiting = thread.submit(waiter.execute, "INSERT INTO locked_rows VALUES (1)")
        wait_until(lambda: of_mariadb(mariadb).clock > before + 2 * SECOND)
        found = of_mariadb(mariadb)
        locker.execute("UNLOCK TABLES")
        waiting.result(60)
        locker.execute("DROP TABLE locked_rows")
    assert found.reaches_to is not None
    assert found.reaches_to < before + SECOND


def test_mariadb_names_the_grant_without_which_transactions_are_not_seen(mariadb: MariadbServer) -> None:
    """PROCESS; and on a server that only reads, REPLICA MONITOR, for it is a replica in all likelihood."""
    plain = of_mariadb(mariadb, MARIADB_USER)
    assert (plain.reaches_to, "GRANT PROCESS ON *.*" in plain.missing) == (None, True)
    with mariadb.admin() as admin:
        admin.execute("SET GLOBAL read_only = 1")
        try:
            replica = of_mariadb(mariadb)
            assert (replica.reaches_to, "GRANT REPLICA MONITOR ON *.*" in replica.missing) == (None, True)
        finally:
            admin.execute("SET GLOBAL read_only = 0")


def test_a_mariadb_replica_that_stands_still_cannot_say_how_old_its_rows_are(mariadb: MariadbServer) -> None:
    """Then last sync time stays: the run says so."""
    with mariadb.admin() as admin:
        admin.execute(f"GRANT REPLICA MONITOR ON *.* TO {MARIADB_WATCHER}@'%'")
        admin.execute("CHANGE MASTER TO master_host = '127.0.0.1', master_port = 1, master_user = 'nobody'")
        try:
            assert of_mariadb(mariadb).data_at is None
        finally:
            admin.execute("RESET SLAVE ALL")
            admin.execute(f"REVOKE REPLICA MONITOR ON *.* FROM {MARIADB_WATCHER}@'%'")


def of_sqlserver(server: TdsServer) -> Start:
    """What SQL Server says now."""
    with connect(test_sqlserver.settings_of(server)) as session:
        return start_of(session)


def test_sql_server_reaches_back_to_the_oldest_transaction_that_may_write(sqlserver: TdsServer) -> None:
    """Its own clock is in another zone; transactions that only read, and the server's own, do not count."""
    alone = of_sqlserver(sqlserver)
    assert alone.reaches_to == alone.clock == alone.data_at
    table = "sys.dm_tran_active_transactions"
    local = "CAST(get_current_timestamp() AT TIME ZONE 'America/New_York' AS TIMESTAMP)"
    try:
        for number, (kind, minutes) in enumerate([(1, 7), (4, 5), (2, 60), (3, 90)], start=10):
            sqlserver.admin(f"INSERT INTO {table} VALUES ({number}, {kind}, {local} - INTERVAL {minutes} MINUTE)")
        found = of_sqlserver(sqlserver)
        assert found.reaches_to is not None
        assert timedelta(minutes=7) - SECOND < found.clock - found.reaches_to < timedelta(minutes=7) + 5 * SECOND
    finally:
        sqlserver.admin(f"DELETE FROM {table}")


def test_sql_server_names_the_grant_and_knows_a_secondary(sqlserver: TdsServer) -> None:
    """VIEW SERVER STATE; a readable secondary does not know the primary's transactions."""
    sqlserver.hidden.add("dm_tran_active_transactions")
    try:
        denied = of_sqlserver(sqlserver)
    finally:
        sqlserver.hidden.remove("dm_tran_active_transactions")
    assert (denied.reaches_to, "GRANT VIEW SERVER STATE TO [reader]" in denied.missing) == (None, True)
    sqlserver.read_only = True
    try:
        secondary = of_sqlserver(sqlserver)
    finally:
        sqlserver.read_only = False
    assert (secondary.reaches_to, "secondary" in secondary.missing) == (None, True)
