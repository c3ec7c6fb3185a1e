"""PostgreSQL's log as a list of keys, on a real server: what it names, what it lacks, what has to be granted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.errors import QueryError
from reverse_etl.sources import connect
from reverse_etl.sources.postgres.pgoutput import KeyReader
from reverse_etl.sources.powers import ChangeLog, GapError, HasLog
from reverse_etl_tests.servers.postgres import USER, WATCHER, PostgresServer, standby_of
from reverse_etl_tests.sources.test_postgres import settings_of

NAME = "reverse_etl_keys"

TABLES = """
CREATE SCHEMA keys;
CREATE TABLE keys."Some people" (id char(6) PRIMARY KEY, bio text);
CREATE TABLE keys.orders (number int PRIMARY KEY, customer text, note text);
ALTER TABLE keys.orders REPLICA IDENTITY FULL;
CREATE TABLE keys.visits (id bigint, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE keys.visits_2025 PARTITION OF keys.visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE keys.unnamed (id int, note text);
CREATE TABLE keys.other (id int PRIMARY KEY);
CREATE VIEW keys.seen AS SELECT * FROM keys.orders;
CREATE PUBLICATION reverse_etl_keys FOR TABLE keys."Some people", keys.orders, keys.visits, keys.other;
"""
ALL = {'keys."Some people"': "id", "keys.orders": "customer", "keys.visits": "id"}


@pytest.fixture(scope="module")
def tables(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Tables of each kind and their publication; the watcher may read the log."""
    with postgres.admin() as admin:
        admin.execute(TABLES)
        admin.execute(f"ALTER ROLE {WATCHER} REPLICATION")
        admin.execute(f"GRANT USAGE ON SCHEMA keys TO {USER}")
        admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA keys TO {USER}")
        yield postgres
        admin.execute("DROP SCHEMA keys CASCADE")
        admin.execute("DROP PUBLICATION reverse_etl_keys")
        admin.execute(f"ALTER ROLE {WATCHER} NOREPLICATION")


@contextmanager
def log_of(
    server: PostgresServer, tables: dict[str, str], *, user: str = WATCHER, name: str = NAME
) -> Iterator[ChangeLog]:
    """The log in a session of its own."""
    with connect(settings_of(server, user=EnvText(user))) as session:
        assert isinstance(session, HasLog)
        yield session.log(name, tables)


@pytest.fixture
def log(tables: PostgresServer) -> Iterator[ChangeLog]:
    """The log of all tables, kept from now on."""
    with log_of(tables, ALL) as found:
        found.create()
        found.create()
        yield found
        assert found.drop()


def keys(log: ChangeLog, since: str) -> set[tuple[str, str]]:
    """What was written since a place."""
    return {(row["table"], row["key"]) for batch in log.changed(since, log.now()) for row in batch.to_pylist()}


def test_it_names_the_keys_of_all_that_was_committed(tables: PostgresServer, log: ChangeLog) -> None:
    """Of moved rows both, of parts of a table too, of blanks that fill a width none; of other tables nothing."""
    since = log.now()
    assert set() == keys(log, since)
    with tables.admin() as admin:
        admin.execute("INSERT INTO keys.\"Some people\" VALUES ('ann', repeat('long ', 10000)), ('bob', NULL)")
        admin.execute("UPDATE keys.\"Some people\" SET id = 'anna' WHERE id = 'ann'")
        admin.execute("INSERT INTO keys.orders VALUES (1, 'ann', ''), (2, 'bob', ''), (3, NULL, ''), (4, 'é', '')")
        admin.execute("UPDATE keys.orders SET customer = 'cid' WHERE number = 2")
        admin.execute("DELETE FROM keys.orders WHERE number = 1")
        admin.execute("INSERT INTO keys.visits VALUES (7, '2025-05-05')")
        admin.execute("INSERT INTO keys.other VALUES (99)")
        admin.execute("BEGIN; INSERT INTO keys.visits VALUES (8, '2025-05-05'); ROLLBACK")
    people, orders, visits = ALL
    expected = {
        *((people, key) for key in ("ann", "anna", "bob")),
        *((orders, key) for key in ("ann", "bob", "cid", "é")),
        (visits, "7"),
    }
    assert expected == keys(log, since)
    now = log.now()
    assert expected == keys(log, since), "reading consumes nothing"
    assert set() == keys(log, now)
    with pytest.raises(GapError, match="was recreated, or another program reads it"):
        keys(log, since)


@pytest.mark.parametrize("what", ["ATTACH", "TRUNCATE"])
def test_what_the_log_does_not_tell_is_a_gap(tables: PostgresServer, log: ChangeLog, what: str) -> None:
    """A part that was attached brings rows that were not written; TRUNCATE takes rows away without naming them."""
    since = log.now()
    with tables.admin() as admin:
        if what == "TRUNCATE":
            admin.execute("TRUNCATE keys.visits")
        else:
            admin.execute("CREATE TABLE keys.v26 (LIKE keys.visits INCLUDING ALL)")
            admin.execute(
                "ALTER TABLE keys.visits ATTACH PARTITION keys.v26 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
            )
    said = {"TRUNCATE": "keys.visits was emptied with TRUNCATE", "ATTACH": "are not as they were"}
    try:
        with pytest.raises(GapError, match=said[what]):
            keys(log, since)
    finally:
        with tables.admin() as admin:
            admin.execute("DROP TABLE IF EXISTS keys.v26")


@pytest.mark.parametrize(
    "change",
    [
        lambda place: place.replace("|0/", "|7F/"),
        lambda place: "1" + place,
        lambda place: place.replace("|", "|0", 1),
    ],
)
def test_a_place_of_another_time_or_database_is_a_gap(log: ChangeLog, change: object) -> None:
    """Its numbers mean something else here."""
    assert callable(change)
    with pytest.raises(GapError, match=r"was restored|are not as they were"):
        keys(log, change(log.now()))


@pytest.mark.parametrize(
    ("tables_read", "problem"),
    [
        ({"keys.nothing": "id"}, "There is no table keys.nothing, or the user does not see it."),
        ({"keys.orders": "person"}, "keys.orders has no column person (changes.tables)."),
        ({"keys.seen": "customer"}, "keys.seen is no table, and the log has only rows of tables."),
        (
            {"keys.unnamed": "id"},
            "The log would not have id of deleted and moved rows of keys.unnamed: "
            "ALTER TABLE keys.unnamed REPLICA IDENTITY FULL.",
        ),
        (
            {"keys.visits": "day", "keys.other": "id", "pg_catalog.pg_class": "oid"},
            "The log would not have oid of deleted and moved rows of pg_class: "
            "ALTER TABLE pg_class REPLICA IDENTITY FULL.",
        ),
    ],
)
def test_what_is_missing_is_named_with_the_statement(
    tables: PostgresServer, tables_read: dict[str, str], problem: str
) -> None:
    """Nothing is made; a run reads everything."""
    with log_of(tables, tables_read) as log:
        assert (False, (problem,)) == ((status := log.status()).exists, status.problems)
        with pytest.raises(GapError, match="^" + problem[:10]):
            log.now()
        with pytest.raises(QueryError) as caught:
            log.create()
        assert problem in str(caught.value)
        assert not log.drop()


def test_the_publication_is_its_owners_matter(tables: PostgresServer) -> None:
    """One that is missing, or lacks a table, comes with the statement that the owner runs."""
    with log_of(tables, {"keys.orders": "customer"}, name="reverse_etl_none") as log:
        (problem,) = log.status().problems
        assert problem.endswith(": CREATE PUBLICATION reverse_etl_none FOR TABLE keys.orders.")
    with tables.admin() as admin:
        admin.execute("CREATE PUBLICATION reverse_etl_less FOR TABLE keys.orders WITH (publish = 'insert')")
        try:
            with log_of(tables, {"keys.orders": "customer"}, name="reverse_etl_less") as log:
                (problem,) = log.status().problems
        finally:
            admin.execute("DROP PUBLICATION reverse_etl_less")
    assert problem.endswith(": ALTER PUBLICATION reverse_etl_less SET (publish = 'insert, update, delete, truncate').")


def test_the_right_to_read_the_log_is_named(tables: PostgresServer) -> None:
    """As PostgreSQL has it, and as Amazon has it."""
    with log_of(tables, ALL, user=USER) as log:
        (problem,) = log.status().problems
    assert f'ALTER ROLE "{USER}" REPLICATION' in problem
    assert f'GRANT rds_replication TO "{USER}"' in problem


def test_a_standby_has_no_log(tables: PostgresServer) -> None:
    """Which is reported before anything else."""
    with standby_of(tables) as standby, log_of(standby, ALL) as log:
        assert (False, ("The server is a standby, whose log cannot be read: connect to its primary.",)) == (
            log.status().exists,
            log.status().problems,
        )
        with pytest.raises(GapError, match="is a standby"):
            log.now()


def test_a_key_that_the_log_leaves_out_is_a_gap() -> None:
    """A long value that did not change is not written again."""
    relation = b"R" + (5).to_bytes(4, "big") + b"s\0t\0f" + (1).to_bytes(2, "big") + b"\1key\0" + bytes(8)
    unchanged = b"U" + (5).to_bytes(4, "big") + b"N" + (1).to_bytes(2, "big") + b"u"
    with pytest.raises(GapError, match="leaves out long values of t"):
        list(KeyReader({5: ("t", "key")}).keys([relation, unchanged]))
