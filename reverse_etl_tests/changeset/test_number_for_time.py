"""Texts that a query compares with last sync time as it is: found, placed and told, and nothing else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reverse_etl.changeset.number_for_time import number_for_time
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.number_filters import number_filters
from reverse_etl.config.streams import ROWS, Stream
from reverse_etl.sources import connect, engine
from reverse_etl.sources.sqlite import DIALECT, Config
from reverse_etl_tests.project import Project, people

TEXT = "datetime({{last_sync_time}}, 'unixepoch')"


@pytest.fixture
def database(tmp_path: Path) -> DatabaseConfig:
    """Tables whose times are text, numbers, both, and not there."""
    path = tmp_path / "times.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            "CREATE TABLE texts (id, at DATETIME, day TEXT, n INTEGER, mixed, odd, empty);"
            "INSERT INTO texts VALUES (1, '2026-11-28 13:36:47', '2026-11-28', 100, 1, 'soon', NULL);"
            "INSERT INTO texts VALUES (2, '2026-11-28 13:36:48', '2026-11-29', 101, '2026-11-28', 'later', NULL);"
            "CREATE TABLE others (id, at INTEGER); INSERT INTO others VALUES (1, 100);"
        )
    return Config(name="shop", path=path)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "SELECT id FROM texts\nWHERE at >= {{last_sync_time}}",
            [(2, f"write {TEXT} in place of")],
        ),
        ("SELECT id FROM texts t WHERE n > 1 AND {{last_sync_time}} <= t.at", [(1, TEXT)]),
        ("SELECT id FROM texts WHERE datetime(at) >= {{last_sync_time}}", [(1, TEXT)]),
        ("SELECT id FROM texts WHERE day >= {{last_sync_time}}", [(1, "date({{last_sync_time}}, 'unixepoch')")]),
        ("SELECT t.id FROM texts t\nJOIN others o ON o.id = t.id\nWHERE t.at >= {{last_sync_time}}", [(3, TEXT)]),
        (
            "SELECT id FROM texts WHERE at >= {{last_sync_time}} - 600",
            [(1, "write datetime({{last_sync_time}} - 600, 'unixepoch') in place of {{last_sync_time}} - 600")],
        ),
        (f"SELECT id FROM texts WHERE at >= {TEXT}", []),
        ("SELECT t.id FROM texts t JOIN others o ON o.id = t.id WHERE o.at >= {{last_sync_time}}", []),
        ("SELECT id FROM texts WHERE n >= {{last_sync_time}}", []),
        ("SELECT id FROM texts WHERE unixepoch(at) >= {{last_sync_time}}", []),
        ("SELECT id FROM texts WHERE mixed >= {{last_sync_time}}", []),
        ("SELECT id FROM texts WHERE odd >= {{last_sync_time}}", []),
        ("SELECT id FROM texts WHERE empty >= {{last_sync_time}}", []),
        ("SELECT id FROM texts WHERE no_such >= {{last_sync_time}}", []),
        ("WITH texts AS (SELECT 1 AS id, 5 AS at) SELECT id FROM texts WHERE at >= {{last_sync_time}}", []),
        ("SELECT t.id FROM texts t JOIN others o ON o.id = t.id WHERE day >= {{last_sync_time}}", []),
        ("SELECT id, at >= {{last_sync_time}} AS recent FROM texts", []),
    ],
)
def test_only_a_text_that_is_surely_compared_with_a_number(
    database: DatabaseConfig, query: str, expected: list[tuple[int, str]]
) -> None:
    """By its line, with what to write; numbers, mixed columns and what the text does not show are left alone."""
    with connect(database) as session:
        found = list(number_for_time([Stream(ROWS, query)], session, DIALECT))
    assert [line for line, _ in expected] == [line for _, line, _ in found]
    assert all(part in text for (_, part), (_, _, text) in zip(expected, found, strict=True))


def test_an_engine_that_refuses_such_a_comparison_is_not_asked(database: DatabaseConfig) -> None:
    """Its own message names the conversion."""
    query = "SELECT id FROM texts WHERE at >= {{last_sync_time}}"
    postgres = engine("postgres").DIALECT
    assert number_filters(query, postgres)
    with connect(database) as session:
        assert [] == list(number_for_time([Stream(ROWS, query)], session, postgres))


@pytest.mark.thorough
def test_validate_plan_and_run_say_so_with_file_and_line(project: Project) -> None:
    """The first run that read, and each later one, since each reads all rows again."""
    with closing(sqlite3.connect(project.folder / "shop.db")) as database, database:
        database.execute("CREATE TABLE orders (id, changed TEXT)")
        database.execute("INSERT INTO orders VALUES ('a', CURRENT_TIMESTAMP)")
    path = project.write("people.yaml", people("SELECT id, changed FROM orders\n  WHERE changed >= {{last_sync_time}}"))
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "WHERE" in text)
    at = f"people.yaml:{line}"
    write = f"write {TEXT} in place of {{{{last_sync_time}}}}"
    for command in (("validate",), ("plan", "people"), ("run", "people"), ("run", "people")):
        done = project.reverse_etl(*command)
        told = " ".join((done.stdout + done.stderr).split())
        assert 0 == done.returncode, told
        assert at in told, command
        assert write in told, command
    path.write_text(path.read_text().replace("{{last_sync_time}}", TEXT))
    for command in (("validate",), ("run", "people")):
        done = project.reverse_etl(*command)
        assert "holds text" not in done.stdout + done.stderr


def test_a_column_without_values_is_not_searched_to_its_end(database: DatabaseConfig) -> None:
    """A thousand rows without one are enough: the table may have a hundred million."""
    assert isinstance(database, Config)
    with closing(sqlite3.connect(database.path)) as connection, connection:
        connection.execute("CREATE TABLE late (at)")
        connection.executemany("INSERT INTO late VALUES (?)", [*[(None,)] * 1_000, ("2026-11-28 13:36:47",)])
    with connect(database) as session:
        query = "SELECT at FROM late WHERE at >= {{last_sync_time}}"
        assert [] == list(number_for_time([Stream(ROWS, query)], session, DIALECT))
