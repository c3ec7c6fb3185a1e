"""MariaDB's binary log as a list of keys, on a real server: what it names, what it lacks, what has to be granted."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.errors import QueryError
from reverse_etl.sources import connect
from reverse_etl.sources.powers import ChangeLog, GapError, HasLog
from reverse_etl_tests.servers.mariadb import (
    INSTALL,
    PASSWORD,
    PASSWORD_VARIABLE,
    USER,
    MariadbServer,
    find_programs,
    mariadb_server,
)
from reverse_etl_tests.servers.sandbox import wait_until
from reverse_etl_tests.sources.test_mysql import settings_of

READER = "logreader"
TABLES = (
    "CREATE TABLE log_people (id CHAR(6) PRIMARY KEY, bio TEXT)",
    "CREATE TABLE log_orders (number INT PRIMARY KEY, customer BIGINT UNSIGNED, price DECIMAL(20, 2), code BINARY(2))",
    "CREATE TABLE log_parents (id INT PRIMARY KEY)",
    "CREATE TABLE log_children (id INT PRIMARY KEY, parent INT, owner INT, "
    "CONSTRAINT adopted FOREIGN KEY (parent) REFERENCES log_parents (id) ON DELETE CASCADE)",
    "CREATE VIEW log_view AS SELECT * FROM log_people",
)
ALL = {"log_people": "id", "shop.log_orders": "customer"}


@pytest.fixture(scope="module")
def tables(mariadb: MariadbServer) -> Iterator[MariadbServer]:
    """Tables of each kind; ``READER`` may read the log."""
    with mariadb.admin() as admin:
        for statement in TABLES:
            admin.execute(statement)
        admin.execute(f"CREATE USER {READER}@'%' IDENTIFIED BY '{PASSWORD}'")
        admin.execute(f"GRANT SELECT ON shop.* TO {READER}@'%'")
        admin.execute(f"GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO {READER}@'%'")
        yield mariadb
        admin.execute("DROP VIEW log_view")
        admin.execute("DROP TABLE IF EXISTS log_people, log_orders, log_children, log_parents")
        admin.execute(f"DROP USER {READER}@'%'")


@contextmanager
def log_of(server: MariadbServer, tables: dict[str, str], user: str = READER) -> Iterator[ChangeLog]:
    """The log in a session of its own."""
    with connect(settings_of(server, user=EnvText(user))) as session:
        assert isinstance(session, HasLog)
        yield session.log("any", tables)


@pytest.fixture
def log(tables: MariadbServer) -> Iterator[ChangeLog]:
    """The log of two tables."""
    with log_of(tables, ALL) as found:
        yield found


def keys(log: ChangeLog, since: str) -> set[tuple[str, str]]:
    """What was written since a place."""
    return {(row["table"], row["key"]) for batch in log.changed(since, log.now()) for row in batch.to_pylist()}


def test_it_names_the_keys_of_all_that_was_committed(tables: MariadbServer, log: ChangeLog) -> None:
    """Of moved rows both; of other tables and of what was rolled back nothing; through a change of the log's file."""
    since = log.now()
    assert set() == keys(log, since)
    with tables.admin() as admin:
        admin.execute("INSERT INTO log_people VALUES ('ann', ''), ('é', NULL)")
        admin.execute("UPDATE log_people SET id = 'anna' WHERE id = 'ann'")
        admin.execute("FLUSH BINARY LOGS")
        admin.execute("INSERT INTO log_orders VALUES (1, 18446744073709551615, 1, ''), (2, NULL, 1, '')")
        admin.execute("UPDATE log_orders SET customer = 7 WHERE number = 1")
        admin.execute("DELETE FROM log_orders")
        admin.execute("INSERT INTO log_parents VALUES (99)")
        admin.execute("BEGIN")
        admin.execute("INSERT INTO log_orders VALUES (3, 3, 3, '')")
        admin.execute("ROLLBACK")
    expected = {("log_people", key) for key in ("ann", "anna", "é")}
    expected |= {("shop.log_orders", key) for key in ("18446744073709551615", "7")}
    assert expected == keys(log, since) == keys(log, since)
    assert set() == keys(log, log.now())


@pytest.mark.parametrize(("column", "text"), [("price", "123456789012345678.90"), ("code", "00ff")])
def test_keys_are_spelled_as_sessions_spell_them(tables: MariadbServer, column: str, text: str) -> None:
    """Decimals with their digits, bytes as hexadecimal digits."""
    with log_of(tables, {"log_orders": column}) as log, tables.admin() as admin:
        since = log.now()
        admin.execute("INSERT INTO log_orders VALUES (9, 9, 123456789012345678.9, x'00ff')")
        assert {("log_orders", text)} == keys(log, since)
        admin.execute("DELETE FROM log_orders")


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["TRUNCATE log_people"], "A statement (TRUNCATE) changed log_people without naming rows."),
        (
            ["SET SESSION binlog_format = 'STATEMENT'", "INSERT INTO shop.log_orders VALUES (5, 5, 5, '')"],
            "A statement (INSERT) changed shop.log_orders without naming rows.",
        ),
        (
            ["RENAME TABLE log_people TO log_away", "RENAME TABLE log_away TO log_people"],
            "A statement (RENAME) changed log_people without naming rows.",
        ),
        (
            [
                "CREATE INDEX by_bio ON log_people (bio(9))",
                "DROP INDEX by_bio ON log_people",
                "ANALYZE TABLE log_people",
            ],
            "",
        ),
    ],
)
def test_statements_that_name_no_rows_are_gaps(
    tables: MariadbServer, log: ChangeLog, statements: list[str], words: str
) -> None:
    """Whatever they change of the tables."""
    since = log.now()
    with tables.admin() as admin:
        for statement in statements:
            admin.execute(statement)
    if not words:
        assert set() == keys(log, since)
        return
    with pytest.raises(GapError) as caught:
        keys(log, since)
    assert words == str(caught.value)


@pytest.mark.thorough
def test_a_log_that_is_gone_or_another_servers_is_a_gap(tables: MariadbServer, log: ChangeLog) -> None:
    """Purged, begun again, of another server, of other tables."""
    since = log.now()
    with pytest.raises(GapError, match="Another server answers"):
        keys(log, f"other{since}")
    with log_of(tables, {"log_people": "id"}) as fewer, pytest.raises(GapError, match=r"`changes\.tables`"):
        keys(fewer, since)
    with pytest.raises(GapError, match=r"is gone"):
        keys(log, since.replace("|0-1-", "|0-1-9"))
    with tables.admin() as admin:
        admin.execute("FLUSH BINARY LOGS")
        admin.execute("SHOW MASTER STATUS")
        ((newest, *_),) = admin.fetchall()

        def is_purged() -> bool:
            """The server keeps a file until its transactions are safe elsewhere."""
            admin.execute(f"PURGE BINARY LOGS TO '{newest}'")
            admin.execute("SHOW BINARY LOGS")
            return [row[0] for row in admin.fetchall()] == [newest]

        with warnings.catch_warnings(action="ignore"):
            wait_until(is_purged)
    with pytest.raises(GapError, match=r"is gone|no longer has its binary log"):
        keys(log, since)


@pytest.mark.parametrize(
    ("user", "tables_read", "problem"),
    [
        (READER, {"log_nothing": "id"}, "There is no table log_nothing, or the user does not see it."),
        (READER, {"log_people": "person"}, "log_people has no column person (changes.tables)."),
        (READER, {"log_view": "id"}, "log_view is no table, and the log has only rows of tables."),
        (
            READER,
            {"log_children": "owner"},
            "The log does not name rows of log_children that the foreign key adopted changes along with log_parents.",
        ),
        (READER, {"log_children": "parent", "log_parents": "id"}, ""),
        (USER, ALL, f"The user may not see the log: GRANT BINLOG MONITOR ON *.* TO '{USER}'@'%'."),
    ],
)
def test_what_is_missing_is_named(tables: MariadbServer, user: str, tables_read: dict[str, str], problem: str) -> None:
    """With the statement that grants it; nothing has to be made or dropped."""
    with log_of(tables, tables_read, user) as log:
        status = log.status()
        assert (not problem, (problem,) if problem else ()) == (status.exists, status.problems)
        assert status.kept_bytes is None
        assert not log.drop()
        if problem:
            with pytest.raises(QueryError) as caught:
                log.create()
            assert problem in str(caught.value)
        else:
            log.create()


def test_the_right_to_read_is_found_by_reading(tables: MariadbServer) -> None:
    """Who may see the place may not read from there yet."""
    with tables.admin() as admin:
        admin.execute(f"REVOKE REPLICATION SLAVE ON *.* FROM {READER}@'%'")
        try:
            with log_of(tables, ALL) as log:
                (problem,) = log.status().problems
        finally:
            admin.execute(f"GRANT REPLICATION SLAVE ON *.* TO {READER}@'%'")
    assert problem == f"The user may not read the binary log: GRANT REPLICATION SLAVE ON *.* TO '{READER}'@'%'."


@pytest.mark.parametrize(
    ("variable", "value", "normal"),
    [
        ("binlog_format", "MIXED", "ROW"),
        ("binlog_row_image", "MINIMAL", "FULL"),
        ("binlog_row_metadata", "MINIMAL", "FULL"),
    ],
)
def test_a_log_that_does_not_name_rows_is_no_log(tables: MariadbServer, variable: str, value: str, normal: str) -> None:
    """The setting is named; a run reads everything."""
    with tables.admin() as admin:
        admin.execute(f"SET GLOBAL {variable} = '{value}'")
        try:
            with log_of(tables, ALL) as log:
                (problem,) = log.status().problems
                with pytest.raises(GapError):
                    log.now()
        finally:
            admin.execute(f"SET GLOBAL {variable} = '{normal}'")
    assert problem == (
        f"The server's binary log does not name rows ({variable} is {value}): set {variable} = {normal}."
    )


@pytest.mark.thorough
def test_a_server_without_a_binary_log_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after it was switched off: there is no place that a run could go on from, so it reads everything."""
    programs = find_programs()
    assert programs is not None, INSTALL
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    with mariadb_server(programs, log=False) as server:
        with server.admin() as admin:
            admin.execute("CREATE TABLE log_people (id CHAR(6) PRIMARY KEY)")
        with log_of(server, {"log_people": "id"}, USER) as log:
            status = log.status()
            with pytest.raises(GapError, match="log_bin is OFF"):
                log.now()
    words = "The server's binary log does not name rows (log_bin is OFF): set log_bin = ON."
    assert (False, (words,)) == (status.exists, status.problems)
