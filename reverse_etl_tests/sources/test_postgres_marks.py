"""``{{changed: c}}``: which rows PostgreSQL says were not visible before, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reverse_etl.config.changed import ChangedTable
from reverse_etl.errors import QueryError
from reverse_etl.sources import connect
from reverse_etl.sources.postgres.marks import MOST_TRANSACTIONS, mark
from reverse_etl.sources.powers import EVERY_ROW, Mark, MarksRows
from reverse_etl_tests.servers.postgres import USER, PostgresServer
from reverse_etl_tests.sources.test_postgres import settings_of

IDENTITY = ("7312", "16384", "1")
BILLION = 1_000_000_000

TABLES = """
CREATE SCHEMA marks;
CREATE TABLE marks."Some people" (id int);
CREATE TABLE marks.parts (id int) PARTITION BY RANGE (id);
CREATE TABLE marks.near PARTITION OF marks.parts FOR VALUES FROM (0) TO (10);
CREATE TABLE marks.split (id int) PARTITION BY RANGE (id);
CREATE EXTENSION IF NOT EXISTS file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE marks.far PARTITION OF marks.split FOR VALUES FROM (0) TO (10)
  SERVER files OPTIONS (filename '/dev/null');
CREATE VIEW marks.seen AS SELECT * FROM marks.parts;
CREATE VIEW marks.marked AS SELECT xmin, * FROM marks.near;
CREATE MATERIALIZED VIEW marks.kept AS SELECT * FROM marks.near;
"""


@pytest.fixture(scope="module")
def tables(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Tables of each kind, in a schema of their own."""
    with postgres.admin() as admin:
        admin.execute(TABLES)
        admin.execute(f"GRANT USAGE ON SCHEMA marks TO {USER}")
        admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA marks TO {USER}")
        yield postgres
        admin.execute("DROP SCHEMA marks CASCADE")
        admin.execute("DROP EXTENSION file_fdw CASCADE")


@contextmanager
def session_of(server: PostgresServer) -> Iterator[MarksRows]:
    """A session of the reading user."""
    with connect(settings_of(server)) as session:
        assert isinstance(session, MarksRows)
        yield session


def of(number: int, before: str = "") -> Mark:
    """A snapshot in which every transaction before a number is over."""
    return mark(before, identity=IDENTITY, xmin=number, xmax=number)


def test_a_snapshot_is_remembered_with_its_database_and_its_epoch() -> None:
    """The number is of 64 bits; rows are compared with its lower 32."""
    assert "xmin:7312:16384:1:5000000000" == of(5 * BILLION).place
    assert of(5 * BILLION).changed == EVERY_ROW
    of_a_log = of(5 * BILLION, '{"log": "7312:16384:1|ab|0/12", "rows": 3}')
    assert (EVERY_ROW, "") == (of_a_log.changed, of_a_log.note)
    found = of(5 * BILLION + 7, of(5 * BILLION).place)
    assert f"age('{5 * BILLION - 2**32}'::pg_catalog.xid)" in found.changed


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("xmin:7312:16384:1:1001", "another server took over"),
        ("xmin:7313:16384:1:900", "another server took over"),
        ("xmin:7312:16385:1:900", "another server took over"),
        ("xmin:7312:16384:2:900", "another server took over"),
        ("xmin:900", "another server took over"),
    ],
)
def test_a_place_of_another_database_or_of_the_future_is_of_no_use(before: str, words: str) -> None:
    """Everything is read, and the run says why."""
    found = of(1000, before)
    assert (EVERY_ROW, True) == (found.changed, words in found.note)
    assert of(1000).place == found.place


def test_numbers_compare_only_within_half_of_their_range() -> None:
    """Further back, everything is read."""
    since = of(7).place
    assert of(7 + MOST_TRANSACTIONS, since).changed != EVERY_ROW
    beyond = of(8 + MOST_TRANSACTIONS, since)
    assert (EVERY_ROW, True) == (beyond.changed, "too many transactions ago" in beyond.note)


@pytest.mark.parametrize(
    ("behind", "row_behind", "changed"),
    [
        (100, 50, True),
        (100, 100, True),
        (100, 101, False),
        (MOST_TRANSACTIONS, MOST_TRANSACTIONS + 1, False),
        (MOST_TRANSACTIONS, 3, True),
        (5, MOST_TRANSACTIONS, False),
    ],
)
def test_the_server_compares_numbers_around_their_end(
    postgres: PostgresServer, behind: int, row_behind: int, changed: bool
) -> None:
    """This server is young: whatever is a hundred thousand transactions ago is in the epoch before."""
    with postgres.admin() as admin:
        (now,) = admin.execute("SELECT txid_snapshot_xmax(txid_current_snapshot())").fetchone() or (0,)
        assert now < 100_000
        now += 2**32
        condition = of(now, of(now - behind).place).changed.replace("{table}.xmin", "%s::text::xid")
        found = admin.execute(f"SELECT {condition}", [str((now - row_behind) % 2**32)]).fetchone()
    assert (changed,) == found


def test_the_place_of_a_session_is_of_use_to_the_next(postgres: PostgresServer) -> None:
    """On the same server nothing hides what changed, and a place stays as it is while nothing is written."""
    with session_of(postgres) as session:
        first = session.mark("", [])
        second = session.mark(first.place, [])
    assert (EVERY_ROW, "") == (first.changed, first.note)
    assert (first.place, "", True) == (second.place, second.note, "xmin" in second.changed)


@pytest.mark.parametrize("name", ["Some people", "parts", "kept", "marked"])
def test_rows_of_tables_are_marked(tables: PostgresServer, name: str) -> None:
    """Partitioned ones too, materialized views, and views that return a table's xmin."""
    with session_of(tables) as session:
        place = session.mark("", [ChangedTable("c", ("marks", name), 1)]).place
        condition = session.mark(place, []).changed.replace("{table}", "c")
        sql = f'SELECT id FROM marks."{name}" AS c WHERE {condition}'
        assert list(session.stream(sql))  # type: ignore[attr-defined]


def test_a_table_that_is_not_there_is_the_querys_matter(tables: PostgresServer) -> None:
    """The server names it when it is read."""
    with session_of(tables) as session:
        assert session.mark("", [ChangedTable("c", ("marks", "no'such"), 1)]).place


@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("seen", "marks.seen is a view, and only the rows of tables are marked.", "Read its tables"),
        ("far", "rows of marks.far lie in another database and are not marked.", "{{last_sync_time}}"),
        ("split", "rows of marks.split lie in another database and are not marked.", "{{last_sync_time}}"),
    ],
)
def test_rows_that_are_not_marked_are_refused(tables: PostgresServer, name: str, words: str, hint: str) -> None:
    """With the placeholder and its line; a single part that lies elsewhere is enough."""
    with session_of(tables) as session, pytest.raises(QueryError) as caught:
        session.mark("", [ChangedTable("c", ("marks", name), 4)])
    assert f"line 4 of the query: {{{{changed: c}}}}: {words}" in str(caught.value)
    assert hint in caught.value.hint
