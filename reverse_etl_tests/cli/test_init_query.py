"""The filter that `init` writes: it fits how a column keeps its times, and in doubt reads too much."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from reverse_etl.changeset.query import render
from reverse_etl.cli.init_query import bound_of, first_query
from reverse_etl.cli.init_tables import bare_name, holds_bytes, tables_of
from reverse_etl.config.loader import load_project
from reverse_etl.sources import connect
from reverse_etl.sources.duckdb import Config as DuckDb
from reverse_etl.sources.sqlite import Config
from reverse_etl_tests.cli.test_init import answered
from reverse_etl_tests.project import Project

AT = 1_795_873_007
"""2026-11-28 13:36:47 UTC."""
SECONDS = "{{last_sync_time}}"


@pytest.mark.parametrize(
    ("declared", "values", "expected"),
    [
        ("TEXT DEFAULT CURRENT_TIMESTAMP", ["2026-11-28 13:36:47"], f"datetime({SECONDS}, 'unixepoch')"),
        ("DATETIME", ["2026-11-28 13:36:47", None], f"datetime({SECONDS}, 'unixepoch')"),
        ("TEXT", ["2026-11-28T13:36:47.5Z"], f"strftime('%Y-%m-%dT%H:%M:%S', {SECONDS}, 'unixepoch')"),
        ("TEXT", ["2026-11-28"], f"date({SECONDS}, 'unixepoch')"),
        ("DATETIME", [AT], SECONDS),
        ("INTEGER", [AT * 1000], f"{SECONDS} * 1000"),
        ("DATETIME", [], SECONDS),
        ("TEXT", ["28.11.2026 13:36"], ""),
        ("TEXT", ["2026-11-28 08:36:47-05:00"], ""),
        ("DATETIME", [AT, "2026-11-28 13:36:47"], ""),
    ],
)
def test_the_filter_fits_how_the_times_are_kept(
    tmp_path: Path, declared: str, values: list[object], expected: str
) -> None:
    """SQLite compares text with a number without an error, so what a column holds decides; or no filter tells."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE orders (id, changed {declared})")
        database.executemany("INSERT INTO orders VALUES (1, ?)", [(value,) for value in values])
    config = Config(name="shop", path=path)
    with connect(config) as session:
        bound, told = bound_of(config, session, "orders", "changed", declared)
    assert expected == bound
    assert bool(told) == (not bound or not values)
    if bound:
        query = first_query("sqlite", "orders", {"id": "id"}, "changed", bound)
        kept = [value for value in values if value is not None]
        with closing(sqlite3.connect(path)) as database:
            assert len(kept) == len(database.execute(render(query, AT)).fetchall())
            assert not database.execute(render(query, AT + 86_400)).fetchall()


def test_a_time_column_that_does_not_sort_is_asked_for_again(project: Project) -> None:
    """No comparison tells what changed by it, so another one is asked for."""
    with closing(sqlite3.connect(project.folder / "shop.db")) as database, database:
        database.execute("CREATE TABLE orders AS SELECT 1 AS id, '28.11.2026 13:36' AS changed, '2026-11-28' AS day")
    typed = ("fresh", "people", "id", "orders", "id", "changed", "changed", "day", "1h")
    done = answered(project.folder, "shop", "main", *typed)
    assert 0 == done.returncode, done.stderr
    assert "changed has texts that do not sort by time" in done.stderr
    query = load_project(project.folder / "syncs").syncs["fresh"].query
    assert "SELECT id, changed\nFROM orders\nWHERE day >= date({{last_sync_time}}, 'unixepoch')\n" == query


def test_columns_that_would_not_arrive_are_not_written_as_they_are(project: Project) -> None:
    """An e-mail address is called so, bytes are left out, a name is spelled as the table has it; each is said."""
    with closing(sqlite3.connect(project.folder / "shop.db")) as database, database:
        database.execute('CREATE TABLE people ("ID", "E-Mail", plan TEXT, photo BLOB)')
    done = answered(project.folder, "shop", "main", "fresh", "people", "id", "people", "", "*", "", "manual")
    assert 0 == done.returncode, done.stderr
    assert "Column that holds the id (ID):" in done.stderr
    assert "Left out, as bytes cannot be sent: photo." in done.stderr
    assert '"E-Mail" is called email in the query, so that it is taken for the e-mail address.' in done.stderr
    query = load_project(project.folder / "syncs").syncs["fresh"].query
    assert 'SELECT ID AS id, "E-Mail" AS email, plan\nFROM people\n' == query


def test_no_default_is_offered_that_the_table_lacks(project: Project) -> None:
    """An empty answer then says that one is needed, as at the table's name."""
    with closing(sqlite3.connect(project.folder / "shop.db")) as database, database:
        database.execute("CREATE TABLE people (number, email_address, e_mail)")
    typed = ("fresh", "people", "id", "", "people", "", "number", "*", "", "manual")
    done = answered(project.folder, "shop", "main", *typed)
    assert 0 == done.returncode, done.stderr
    assert "Column that holds the id:" in done.stderr
    assert 2 == done.stderr.count("An answer is needed here: there is no default.")
    assert (
        "email_address, e_mail: rows have an e-mail address only if the query calls one of them email." in done.stderr
    )
    assert (
        "SELECT number AS id, email_address, e_mail\nFROM people\n"
        == load_project(project.folder / "syncs").syncs["fresh"].query
    )


@pytest.mark.parametrize(
    ("key", "answer", "offered", "selected"),
    [
        ("number INTEGER PRIMARY KEY", "", "(number)", ", number AS event_id"),
        ("number INTEGER PRIMARY KEY", "-", "(number)", ""),
        ("number, event_id", "", "(event_id)", ", event_id"),
        ("number, part, PRIMARY KEY (number, part)", "", "none: Enter", ""),
    ],
)
def test_events_are_asked_for_their_own_id(
    project: Project, key: str, answer: str, offered: str, selected: str
) -> None:
    """By default the table's own key; without one, two of one time count as one, and `validate` says so."""
    with closing(sqlite3.connect(project.folder / "shop.db")) as database, database:
        columns, _, constraint = key.partition(", PRIMARY")
        database.execute(f"CREATE TABLE orders ({columns}, who, at{', PRIMARY' + constraint if constraint else ''})")
    typed = ("placed", "events", "id", "placed", "orders", "who", "at", answer, "", "", "", "manual")
    done = answered(project.folder, "shop", "main", *typed)
    assert 0 == done.returncode, done.stderr
    asked = done.stderr.partition("Column that tells one event from every other")[2]
    assert offered in asked.partition("Other columns")[0]
    query = load_project(project.folder / "syncs").syncs["placed"].query
    assert f"SELECT who AS id, at AS occurred_at{selected}\nFROM orders\n" == query


def test_the_key_of_a_table_is_known_where_the_engine_tells(tmp_path: Path) -> None:
    """One column, whatever the engine; of a key of several none."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(path) as database:
        database.execute('CREATE TABLE orders ("No" INTEGER PRIMARY KEY, x INTEGER)')
        database.execute("CREATE TABLE lines (a INTEGER, b INTEGER, PRIMARY KEY (a, b))")
    assert {"orders": "No"} == {
        table: bare_name(key) for table, key in tables_of(DuckDb(name="shop", path=path)).keys.items()
    }


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("BLOB", True),
        ("bytea", True),
        ("VARBINARY(10)", True),
        ("longblob", True),
        ("BYTES", True),
        ("text", False),
        ("binary_double", False),
        ("", False),
        ("character varying", False),
        ("binary varying(64000)", True),
    ],
)
def test_types_of_bytes_are_told_by_their_names(declared: str, expected: bool) -> None:
    """As the engines spell them."""
    assert expected == holds_bytes(declared)
