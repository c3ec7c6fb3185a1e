"""SQLite: the conformance suite, and what only SQLite does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reverse_etl.changeset.query import check_query, render
from reverse_etl.changeset.text import as_text
from reverse_etl.cli.init_tables import tables_of
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.loader import load_project
from reverse_etl.errors import QueryError, SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources.base import NOT_TEXT, Session, logical_type
from reverse_etl.sources.sqlite import Config
from reverse_etl_tests.dialects import DIALECTS as SPOKEN
from reverse_etl_tests.sources.cases import CASES, TIMEZONE
from reverse_etl_tests.sources.conformance import PLANTED, SourceConformance
from reverse_etl_tests.sources.documentation import examples
from reverse_etl_tests.sources.interrupts import interrupted_after

_TEXT = next(case.value for case in CASES if case.name == "text").replace("'", "''")

_EXPRESSIONS = {
    "text": f"'{_TEXT}'",
    "empty_text": "''",
    "text_null_word": "'NULL'",
    "small_integer": "-7",
    "greatest_integer": "9223372036854775807",
    "least_integer": "-9223372036854775808",
    "float": "0.1",
    "tiny_float": "5e-324",
    "infinite_float": "9e999",
    "uuid": "'0b5d1c1e-8f3d-4b7a-9d55-0f5f2f1f8a11'",
    "bytes": "x'00ff61'",
    "enum": "'pro'",
    "time": "'12:34:56.5'",
}
_CANNOT = dict.fromkeys(
    [
        "true",
        "false",
        "beyond_integer",
        "decimal",
        "negative_decimal",
        "not_a_number",
        "date",
        "first_date",
        "last_date",
        "instant",
        "first_instant",
        "last_instant",
        "summer_wall_clock",
        "winter_wall_clock",
        "wall_clock_in_spring_gap",
        "wall_clock_twice_in_autumn",
        "last_wall_clock",
        "first_wall_clock",
        "distant_date",
        "infinite_date",
        "infinite_instant",
        "interval",
        "json",
        "array",
        "empty_array",
        "array_of_text",
        "array_with_not_a_number",
        "struct",
    ],
    "values come as stored: integers, floats, text, bytes; NaN is stored as NULL",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database file whose name a URI must not misread."""
    path = tmp_path / "a shop?#%20.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE planted (secret TEXT)")
        connection.execute("INSERT INTO planted VALUES (?)", (PLANTED,))
    return path


class TestSqlite(SourceConformance):
    """The suite on a file."""

    engine = "sqlite"
    product = "SQLite"
    numbers = (
        "WITH RECURSIVE r(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM r WHERE id < {n}) SELECT id FROM r ORDER BY id"
    )
    endless = "WITH RECURSIVE r(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM r) SELECT id FROM r"
    wide_rows = (
        "WITH RECURSIVE r(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM r WHERE id < {n}) "
        "SELECT id, replace(hex(zeroblob(50000)), '00', 'xy') AS t FROM r"
    )
    writing = (
        "DELETE FROM planted",
        "DELETE FROM planted RETURNING secret",
        "INSERT INTO planted VALUES ('x')",
        "DROP TABLE planted",
        "CREATE TEMP TABLE t (a)",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = WAL",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'other.db'",
        "BEGIN IMMEDIATE",
    )
    failing_on_planted = "SELECT json_extract('{}', secret) AS x FROM planted"
    expressions = _EXPRESSIONS
    cannot = _CANNOT

    def test_a_time_compared_with_a_number_names_the_conversion(self, session: Session) -> None:
        """It cannot: dates are text here, which is greater than any number; the engine's page warns of it."""
        assert [1] == [batch.num_rows for batch in session.stream(self.compared)]
        page = (Path(__file__).parents[2] / "docs" / "databases" / "sqlite.md").read_text(encoding="utf-8")
        assert "strftime('%s'" in page

    @pytest.fixture
    def database(self, path: Path) -> DatabaseConfig:
        """The file."""
        return Config(name="shop", path=path, timezone=TIMEZONE)

    @pytest.fixture
    def unavailable(self, tmp_path: Path) -> list[tuple[DatabaseConfig, str]]:
        """No file, a folder, not a database."""
        (tmp_path / "letter.txt").write_text("Dear reader, " * 500)
        return [
            (Config(path=tmp_path / "none.db"), "there is no file .*none.db"),
            (Config(path=tmp_path), "there is no file"),
            (Config(path=tmp_path / "letter.txt"), "is not a SQLite database"),
        ]


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    """SQLite makes files when it is let; a mistyped path must not become an empty database."""
    with pytest.raises(SourceUnavailableError), connect(Config(name="shop", path=tmp_path / "none.db")):
        pass

    assert list(tmp_path.iterdir()) == []


def test_columns_of_mixed_numbers_keep_their_digits(path: Path) -> None:
    """Integers among floats stay integers to the last digit."""
    with connect(Config(name="shop", path=path)) as session:
        (batch,) = session.stream("SELECT 9007199254740993 AS n UNION ALL SELECT 2.5 UNION ALL SELECT -9e999")

    assert logical_type(batch.schema.field(0)) == "decimal"
    assert batch.column(0).to_pylist() == ["9007199254740993", "2.5", "-Infinity"]


def test_columns_of_mixed_types_come_as_json(path: Path) -> None:
    """Each value keeps its own type; bytes cannot be said and are marked so."""
    with connect(Config(name="shop", path=path)) as session:
        (batch,) = session.stream("SELECT 42 AS v UNION ALL SELECT 'a\"b' UNION ALL SELECT NULL UNION ALL SELECT x'ff'")

    assert logical_type(batch.schema.field(0)) == "json"
    assert batch.column(0).to_pylist() == ["42", '"a\\"b"', None, "NaN"]


def test_text_that_is_not_utf8_spoils_no_other_row(path: Path) -> None:
    """A Latin-1 export in a TEXT column, half of a surrogate pair, a NUL; the others stay text."""
    odd = ["CAST(x'5a6feb' AS TEXT)", "CAST(x'eda0bd' AS TEXT)", "'a' || char(0) || 'b'", "'Zoë'", "NULL"]
    with connect(Config(name="shop", path=path)) as session:
        (batch,) = session.stream(" UNION ALL ".join(f"SELECT {text} AS name" for text in odd))

    assert logical_type(batch.schema.field(0)) == "string"
    assert batch.column(0).to_pylist() == [NOT_TEXT, NOT_TEXT, "a\0b", "Zoë", None]


def test_names_that_are_not_utf8_are_an_error(path: Path) -> None:
    """A table and a column that another program named."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE odd (abc TEXT)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = CAST(replace(sql, 'abc', x'62ff') AS TEXT) WHERE name = 'odd'"
        )
    config = Config(name="shop", path=path)
    assert tables_of(config).problem == ""
    with connect(config) as session:
        with pytest.raises(QueryError, match="name of a column is not UTF-8"):
            list(session.stream("SELECT * FROM odd"))
        assert [1] == [batch.num_rows for batch in session.stream("SELECT 1 AS one")]


@pytest.mark.thorough
def test_a_file_locked_by_a_writer_says_so(path: Path) -> None:
    """Another program's exclusive lock is not a mistake in the query."""
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with (
            pytest.raises(SourceUnavailableError, match="another program holds the file locked"),
            connect(Config(name="shop", path=path)),
        ):
            pass


def test_others_write_while_a_query_runs_in_wal_mode(path: Path) -> None:
    """The query sees the rows as they were when it began."""
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        with connect(Config(name="shop", path=path)) as session:
            batches = session.stream("SELECT a.secret FROM planted a")
            writer.execute("INSERT INTO planted VALUES ('second')")
            assert sum(batch.num_rows for batch in batches) == 2
            assert sum(batch.num_rows for batch in session.stream("SELECT secret FROM planted")) == 2


def test_an_error_halfway_through_is_a_query_error(path: Path) -> None:
    """The second portion of rows fails: what came before does not hide it."""
    query = TestSqlite.numbers.format(n=100).replace(
        "SELECT id FROM", "SELECT CASE WHEN id = 60 THEN abs(-9223372036854775807 - 1) ELSE id END AS id FROM"
    )
    with connect(Config(name="shop", path=path)) as session, pytest.raises(QueryError, match="stopped the query"):
        list(session.stream(query))


@pytest.mark.parametrize("first_row", ["at once", "never"])
def test_ctrl_c_ends_the_query(path: Path, first_row: str) -> None:
    """Whether rows come already or the query still counts; the session goes on."""
    query = f"SELECT COUNT(*) AS n FROM ({TestSqlite.endless}) AS q" if first_row == "never" else TestSqlite.endless
    with connect(Config(name="shop", path=path)) as session:
        with interrupted_after(0.5), pytest.raises(KeyboardInterrupt):
            for _ in session.stream(query):
                pass
        assert [batch.to_pylist() for batch in session.stream("SELECT 1 AS one")] == [[{"one": 1}]]


def test_the_page_of_the_documentation_works(tmp_path: Path) -> None:
    """The connection, the query, which finds what changed, and the index, by which it does."""
    (block,) = examples("sqlite", "yaml")
    query, index = examples("sqlite", "sql")
    (tmp_path / "connections.yaml").write_text(block)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE customers (id INT, email TEXT, plan TEXT, created_at TEXT, updated_at TEXT)")
        for day in range(1, 5):
            connection.execute(
                "INSERT INTO customers (id, updated_at) VALUES (?, ?)", (day, f"2024-01-0{day} 00:00:00")
            )
        connection.execute(index)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {render(query, 0)}").fetchall()
    since = int(datetime(2024, 1, 3, tzinfo=UTC).timestamp())

    (config,) = load_project(tmp_path).databases.values()

    assert isinstance(config, Config)
    assert check_query(query, SPOKEN["sqlite"]) == []
    assert "customers_updated_at" in str(plan)
    with connect(config) as session:
        (batch,) = session.stream(render(query, since))
    assert batch.column("id").to_pylist() == [3, 4]


@pytest.mark.parametrize("others", ["", "UNION ALL SELECT 'tail'", "UNION ALL SELECT 1", "UNION ALL SELECT '42.0'"])
def test_a_real_id_is_spelled_alike_in_every_batch(others: str, tmp_path: Path) -> None:
    """SQLite's columns have no type: what else a batch holds changes no identity, and text stays as it was written."""
    sqlite3.connect(tmp_path / "shop.db").close()
    with connect(Config(name="shop", path=tmp_path / "shop.db")) as session:
        (batch,) = session.stream(f"SELECT 42.0 AS id {others}")
    spelled = as_text(batch.column(0), batch.schema.field(0)).to_pylist()
    assert ["42", *(text.strip("'") for text in others.split()[-1:])] == spelled


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A file with a table of each kind that SQLite makes up by itself."""
    path = tmp_path / "tables.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("""
            CREATE TABLE people (id TEXT PRIMARY KEY, doc TEXT);
            INSERT INTO people VALUES ('1', '{"tags": ["a", "b"]}'), ('2', '{"tags": []}');
            CREATE VIRTUAL TABLE notes3 USING fts3(body); INSERT INTO notes3 VALUES ('hello world');
            CREATE VIRTUAL TABLE notes4 USING fts4(body); INSERT INTO notes4 VALUES ('hello world');
            CREATE VIRTUAL TABLE notes5 USING fts5(body); INSERT INTO notes5 VALUES ('hello world');
            CREATE VIRTUAL TABLE words5 USING fts5vocab(notes5, row);
            CREATE VIRTUAL TABLE words4 USING fts4aux(notes4);
            CREATE VIRTUAL TABLE places USING rtree(id, min_x, max_x, +name TEXT);
            INSERT INTO places VALUES (7, 0, 1, 'here');
        """)
    return path


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "SELECT p.id, group_concat(t.value, ',') AS tags FROM people p "
            "LEFT JOIN json_each(p.doc, '$.tags') t ON true GROUP BY p.id",
            [("1", "a,b"), ("2", None)],
        ),
        ("SELECT count(*) AS n FROM people, json_tree(doc) WHERE atom IS NOT NULL", [(2,)]),
        ("SELECT body FROM notes3 WHERE body MATCH 'hello'", [("hello world",)]),
        ("SELECT body FROM notes4 WHERE notes4 MATCH 'wor*'", [("hello world",)]),
        ("SELECT snippet(notes5, 0, '[', ']', '', 3) AS s FROM notes5('hello')", [("[hello] world",)]),
        ("SELECT body FROM notes5 WHERE notes5 MATCH 'hello' ORDER BY rank", [("hello world",)]),
        ("SELECT term FROM words5 ORDER BY term", [("hello",), ("world",)]),
        ("SELECT term FROM words4 WHERE col = '*' ORDER BY term", [("hello",), ("world",)]),
        ("SELECT id, name FROM places WHERE min_x < 1 AND max_x > 0", [(7, "here")]),
        ("SELECT name FROM pragma_table_info('people')", [("id",), ("doc",)]),
        ("SELECT name FROM pragma_table_xinfo('people', 'main')", [("id",), ("doc",)]),
        ("SELECT origin FROM pragma_index_list('people')", [("pk",)]),
        ("SELECT count(*) AS n FROM pragma_foreign_key_check('people')", [(0,)]),
        ("SELECT quick_check AS q FROM pragma_quick_check('people')", [("ok",)]),
        ("SELECT user_version AS v FROM pragma_user_version", [(0,)]),
        ("SELECT name FROM pragma_database_list WHERE seq = 0", [("main",)]),
    ],
)
def test_tables_that_sqlite_makes_up_are_read(query: str, expected: list[tuple[object, ...]], tables: Path) -> None:
    """Each in a session of its own, because SQLite declares such a table when it is first used."""
    with connect(Config(name="shop", path=tables)) as session:
        rows = [tuple(row.values()) for batch in session.stream(query) for row in batch.to_pylist()]

    assert rows == expected


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM people",
        "DELETE FROM places",
        "DELETE FROM places_node",
        "UPDATE places_rowid SET nodeno = 0",
        "INSERT INTO notes5(notes5) VALUES ('optimize')",
        "INSERT INTO notes4(notes4) VALUES ('rebuild')",
        "UPDATE notes3 SET body = 'x'",
        "UPDATE sqlite_master SET sql = ''",
        "DELETE FROM sqlite_master",
        "DROP TABLE notes5",
        "CREATE VIRTUAL TABLE more USING fts5(a)",
        "CREATE VIRTUAL TABLE temp.more USING fts5(a)",
        "CREATE TEMP TABLE more (a)",
        "SELECT * FROM pragma_optimize",
        "SELECT * FROM pragma_optimize(65535)",
        "PRAGMA writable_schema = 1",
        "PRAGMA query_only = 0",
        "PRAGMA user_version = 5",
        "PRAGMA table_info = 5; DELETE FROM people",
        "SELECT load_extension('x')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT writefile('x', 'y')",
        "ATTACH ':memory:' AS other",
        "VACUUM",
    ],
)
def test_such_tables_let_nothing_be_written(statement: str, tables: Path) -> None:
    """Not even after they have been read; the file stays the same to the byte."""
    before = tables.read_bytes()

    with connect(Config(name="shop", path=tables)) as session:
        for query in ("SELECT * FROM places", "SELECT * FROM notes4", "SELECT * FROM json_each('[1]')"):
            list(session.stream(query))
        with pytest.raises(QueryError):
            list(session.stream(statement))

    assert tables.read_bytes() == before
    assert [path.name for path in tables.parent.iterdir()] == [tables.name]
