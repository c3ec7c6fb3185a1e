"""The filter that `init` writes: it fits how a column keeps its times, and in doubt reads too much."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reverse_etl.changeset.query import render
from reverse_etl.cli.init_query import bound_of, first_query
from reverse_etl.config.loader import load_project
from reverse_etl.sources import connect
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
