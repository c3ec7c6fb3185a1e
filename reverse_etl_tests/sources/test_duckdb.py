"""DuckDB: the conformance suite, and what only DuckDB does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from reverse_etl.changeset.query import check_query, render
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.loader import load_project
from reverse_etl.errors import QueryError, SourceUnavailableError
from reverse_etl.sources import connect
from reverse_etl.sources._instants import values as python_values
from reverse_etl.sources.base import OUTSIDE_YEARS, logical_type
from reverse_etl.sources.duckdb import Config
from reverse_etl_tests.dialects import DIALECTS as SPOKEN
from reverse_etl_tests.sources.cases import CASES, DATE, DATE_TIME, TIMEZONE
from reverse_etl_tests.sources.conformance import PLANTED, InfiniteInstants, SourceConformance
from reverse_etl_tests.sources.documentation import examples
from reverse_etl_tests.sources.interrupts import interrupted_after

_TEXT = next(case.value for case in CASES if case.name == "text").replace("'", "''")
_EXPRESSIONS = {
    "text": f"'{_TEXT}'",
    "empty_text": "''",
    "text_null_word": "'NULL'",
    "true": "true",
    "false": "false",
    "small_integer": "(-7)::TINYINT",
    "greatest_integer": "9223372036854775807::BIGINT",
    "least_integer": "(-9223372036854775808)::BIGINT",
    "beyond_integer": "18446744073709551616::HUGEINT",
    "decimal": "1234567890123456789.0123456789::DECIMAL(38, 10)",
    "negative_decimal": "(-0.0000000001)::DECIMAL(38, 10)",
    "float": "0.1::DOUBLE",
    "tiny_float": "5e-324::DOUBLE",
    "infinite_float": "'Infinity'::DOUBLE",
    "not_a_number": "'NaN'::DOUBLE",
    "date": "DATE '2024-02-29'",
    "first_date": "DATE '0001-01-01'",
    "last_date": "DATE '9999-12-31'",
    "instant": "TIMESTAMPTZ '2024-07-01 12:00:00.123456+02'",
    "first_instant": "TIMESTAMPTZ '0001-01-01 00:00:00+00'",
    "last_instant": "TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'",
    "summer_wall_clock": "TIMESTAMP '2024-07-01 12:00:00'",
    "winter_wall_clock": "TIMESTAMP_S '2024-01-01 12:00:00'",
    "wall_clock_in_spring_gap": "TIMESTAMP_MS '2026-03-29 02:30:00'",
    "wall_clock_twice_in_autumn": "TIMESTAMP_NS '2026-10-25 02:30:00'",
    "last_wall_clock": "TIMESTAMP '9999-12-31 23:59:59'",
    "first_wall_clock": "TIMESTAMP '0001-01-01 00:00:00'",
    "distant_date": "DATE '20000-01-01'",
    "infinite_date": "'infinity'::DATE",
    "infinite_instant": "'-infinity'::TIMESTAMPTZ",
    "time": "TIME '12:34:56.5'",
    "interval": "INTERVAL '1 year 2 days 3.5 seconds'",
    "uuid": "'0b5d1c1e-8f3d-4b7a-9d55-0f5f2f1f8a11'::UUID",
    "enum": "'pro'::ENUM('free', 'pro')",
    "bytes": "'\\x00\\xFFa'::BLOB",
    "json": """'{"a": 1.10000000000000000001}'::JSON""",
    "array": "[1, NULL, 3]",
    "empty_array": "[]::INTEGER[]",
    "array_of_text": "['a', 'NaN', '']",
    "array_with_not_a_number": "['NaN'::DOUBLE, 1]",
    "struct": "{'x': 1, 'y': 'é'}",
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file."""
    path = tmp_path_factory.mktemp("duckdb") / "shop.duckdb"
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("CREATE TABLE planted (secret VARCHAR)")
        connection.execute("INSERT INTO planted VALUES (?)", [PLANTED])
    return path


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    """A copy of it, alone in a folder."""
    return Path(shutil.copy(template, tmp_path))


class TestDuckdb(SourceConformance, InfiniteInstants):
    """The suite on a file."""

    engine = "duckdb"
    product = "DuckDB"
    numbers = "SELECT i AS id FROM range(1, {n} + 1) AS r(i) ORDER BY id"
    endless = "SELECT i AS id FROM range(1, 9000000000000) AS r(i)"
    wide_rows = "SELECT i AS id, repeat('xy', 50000) AS t FROM range({n}) AS r(i)"
    writing = (
        "DELETE FROM planted",
        "INSERT INTO planted VALUES ('x')",
        "DROP TABLE planted",
        "CREATE TEMP TABLE t (a INTEGER)",
        "COPY planted TO 'copy.csv'",
        "ATTACH 'other.duckdb'",
        "EXPORT DATABASE 'copy'",
        "INSTALL httpfs",
        "SET memory_limit = '2GB'",
        "PRAGMA force_checkpoint",
        "CALL force_checkpoint()",
        "EXPLAIN ANALYZE DELETE FROM planted",
    )
    failing_on_planted = "SELECT secret::INTEGER AS x FROM planted"
    expressions = _EXPRESSIONS

    @pytest.fixture
    def database(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> DatabaseConfig:
        """The file; statements that write a file would do it in its folder."""
        monkeypatch.chdir(path.parent)
        return Config(name="shop", path=path, timezone=TIMEZONE)

    @pytest.fixture
    def unavailable(self, tmp_path: Path) -> list[tuple[DatabaseConfig, str]]:
        """No file, a folder, not a database."""
        (tmp_path / "letter.txt").write_text("Dear reader, " * 500)
        return [
            (Config(path=tmp_path / "none.duckdb"), "there is no file .*none.duckdb"),
            (Config(path=tmp_path), "there is no file"),
            (Config(path=tmp_path / "letter.txt"), "is not a DuckDB database"),
        ]

    def test_nothing_is_left_beside_the_file(self, database: DatabaseConfig, path: Path) -> None:
        """Neither a log nor what a sort spills, nor what a writing statement would make."""
        for statement in self.writing:
            with connect(database) as session, pytest.raises(QueryError):
                list(session.stream(statement))

        assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("expression", "logical", "value"),
    [
        ("340282366920938463463374607431768211455::UHUGEINT", "decimal", "340282366920938463463374607431768211455"),
        ("170141183460469231731687303715884105727::HUGEINT", "decimal", "170141183460469231731687303715884105727"),
        ("18446744073709551615::UBIGINT", "decimal", "18446744073709551615"),
        ("7::UBIGINT", "int64", 7),
        ("0.10::DECIMAL(18, 10)", "decimal", "0.1000000000"),
        ("1.5::FLOAT", "double", 1.5),
        ("0.1::FLOAT", "double", 0.1),
        ("'-inf'::FLOAT", "double", float("-inf")),
        ("[0.1::FLOAT, NULL]", "json", "[0.1,null]"),
        ("[0.1, 0.2]::FLOAT[2]", "json", "[0.1,0.2]"),
        ("{'f': 0.1::FLOAT}", "json", '{"f":0.1}'),
        ("MAP {'f': 0.1::FLOAT}", "json", '{"f":0.1}'),
        ("union_value(f := 0.1::FLOAT)", "json", '{"f":0.1}'),
        ("[[{'f': 0.1::FLOAT}]]", "json", '[[{"f":0.1}]]'),
        ("0.1::FLOAT::VARIANT", "json", "0.1"),
        ("0.1::DOUBLE::VARIANT", "json", "0.1"),
        ("'nan'::FLOAT::VARIANT", "json", "NaN"),
        ("'é'::VARIANT", "json", '"é"'),
        ("[1, NULL]::VARIANT", "json", "[1,null]"),
        ("NULL::VARIANT", "json", None),
        ("'0101'::BIT", "string", "0101"),
        ("TIMETZ '12:00:00+02'", "string", "12:00:00+02"),
        ("'infinity'::TIMESTAMP_NS", DATE_TIME, OUTSIDE_YEARS),
        ("'infinity'::TIMESTAMP_S", DATE_TIME, OUTSIDE_YEARS),
        ("'-infinity'::DATE", DATE, OUTSIDE_YEARS),
        ("DATE '0044-03-15 (BC)'", DATE, OUTSIDE_YEARS),
        ("MAP {'a': 1}", "json", '{"a":1}'),
        ("union_value(k := 1)", "json", '{"k":1}'),
        ("[1, 2]::INTEGER[2]", "json", "[1,2]"),
        ("{'d': 12345678901234567890123456789.1::DECIMAL(38, 1)}", "json", '{"d":12345678901234567890123456789.1}'),
        ("{'t': 'Infinity'}", "json", '{"t":"Infinity"}'),
        ("{'t': ['-inf'::DOUBLE]}", "json", "NaN"),
        ("NULL", "null", None),
    ],
)
def test_types_of_its_own(path: Path, expression: str, logical: str, value: object) -> None:
    """Types that other engines do not have keep every digit."""
    with connect(Config(name="shop", path=path)) as session:
        (batch,) = session.stream(f"SELECT {expression} AS value")

    assert (logical_type(batch.schema.field(0)), python_values(batch.column(0))) == (logical, [value])


def test_a_file_open_for_writing_elsewhere_says_so(path: Path) -> None:
    """DuckDB keeps readers of other processes out; the message says what holds the file."""
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with (
            pytest.raises(SourceUnavailableError, match=r"another program has .*shop\.duckdb open for writing"),
            connect(Config(name="shop", path=path)),
        ):
            pass
        writer.kill()


def test_a_file_of_a_newer_version_says_so(path: Path) -> None:
    """The storage version stands behind the magic bytes."""
    content = bytearray(path.read_bytes())
    content[12:20] = (2**40).to_bytes(8, "little")
    path.write_bytes(content)

    with pytest.raises(SourceUnavailableError) as refused, connect(Config(name="shop", path=path)):
        pass

    assert "cannot be opened" in refused.value.message
    assert "newer duckdb package" in refused.value.hint


def test_views_on_files_can_be_read(tmp_path: Path) -> None:
    """Where their folder is allowed."""
    (tmp_path / "rows.json").write_text(json.dumps([{"id": 1}, {"id": 2}]))
    path = tmp_path / "views.duckdb"
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(f"CREATE VIEW rows AS SELECT * FROM read_json('{tmp_path}/rows.json')")

    with connect(Config(name="views", path=path, read_files=(tmp_path,))) as session:
        (batch,) = session.stream("SELECT id FROM rows ORDER BY id")

    assert batch.column(0).to_pylist() == [1, 2]


def test_an_extension_is_never_loaded(path: Path) -> None:
    """A query that needs one says so instead."""
    with connect(Config(name="shop", path=path)) as session, pytest.raises(QueryError) as refused:
        list(session.stream("SELECT * FROM iceberg_scan('rows')"))

    assert "exists in" not in refused.value.message
    assert "Extensions are not loaded" in refused.value.hint


@pytest.mark.parametrize(("given", "threads"), [({}, 1), ({"threads": 3}, 3)])
def test_it_computes_with_as_many_threads_as_are_given(path: Path, given: dict[str, int], threads: int) -> None:
    """One by default, so that memory stays bounded on any machine."""
    with connect(Config(path=path, **given)) as session:
        (batch,) = session.stream("SELECT current_setting('threads') AS threads")

    assert batch.column("threads").to_pylist() == [threads]


def test_a_near_miss_is_shown(path: Path) -> None:
    """DuckDB's own did-you-mean is passed on."""
    with connect(Config(name="shop", path=path)) as session:
        with pytest.raises(QueryError) as table:
            list(session.stream("SELECT * FROM plantd"))
        with pytest.raises(QueryError) as column:
            list(session.stream("SELECT secrt FROM planted"))

    assert 'Did you mean "planted"?' in table.value.hint
    assert '"secret"' in column.value.hint


@pytest.mark.parametrize("first_row", ["at once", "never"])
def test_ctrl_c_ends_the_query(path: Path, first_row: str) -> None:
    """Whether rows come already or the query still counts; the session goes on."""
    query = (
        f"SELECT COUNT(*) AS n FROM ({TestDuckdb.endless}) AS q WHERE id % 2 = 7"
        if first_row == "never"
        else TestDuckdb.endless
    )
    with connect(Config(name="shop", path=path)) as session:
        with interrupted_after(0.5), pytest.raises(KeyboardInterrupt):
            for _ in session.stream(query):
                pass
        assert [batch.to_pylist() for batch in session.stream("SELECT 1 AS one")] == [[{"one": 1}]]


def test_the_page_of_the_documentation_works(tmp_path: Path) -> None:
    """The connection, the order of the rows, and the query, which finds what changed."""
    (block,) = examples("duckdb", "yaml")
    query, ordered = examples("duckdb", "sql")
    (tmp_path / "exports").mkdir()
    (tmp_path / "connections.yaml").write_text(block)
    with closing(duckdb.connect(str(tmp_path / "warehouse.duckdb"))) as connection:
        times = "created_at DATE, updated_at TIMESTAMP"
        connection.execute(f"CREATE TABLE customers (id INT, email VARCHAR, plan VARCHAR, {times})")
        for day in (4, 2, 1, 3):
            connection.execute("INSERT INTO customers (id, updated_at) VALUES (?, ?)", [day, f"2024-01-0{day}"])
        connection.execute(ordered)
    since = int(datetime(2024, 1, 3, tzinfo=UTC).timestamp())

    (config,) = load_project(tmp_path).databases.values()

    assert isinstance(config, Config)
    assert check_query(query, SPOKEN["duckdb"]) == []
    with connect(config) as session:
        (batch,) = session.stream(render(query, since))
    assert batch.column("id").to_pylist() == [3, 4]


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A folder with a database, files beside it, one folder of them to be allowed, and ways that lead out of it."""
    allowed, other = tmp_path / "it's allowed", tmp_path / "other"
    for folder in (allowed, other):
        folder.mkdir()
        (folder / "rows.csv").write_text(f"id,plan\n1,{PLANTED}\n")
    (allowed / "link").symlink_to(other)
    (allowed / "link.csv").symlink_to(other / "rows.csv")
    for name in ("shop", "second"):
        with closing(duckdb.connect(str(tmp_path / f"{name}.duckdb"))) as connection:
            connection.execute("CREATE TABLE t AS SELECT range AS id FROM range(3)")
            connection.execute(f"CREATE VIEW v AS FROM read_csv('{str(allowed).replace(chr(39), chr(39) * 2)}/*s.csv')")
    return tmp_path


_REACHING_OUT = [
    "FROM read_csv('{other}/rows.csv')",
    "FROM '{other}/rows.csv'",
    "FROM 'rows.csv'",
    "SELECT * FROM read_csv_auto('{other}/*.csv')",
    "FROM read_text('/proc/self/environ')",
    "FROM read_blob('{other}/rows.csv')",
    "FROM read_json('{other}/rows.csv')",
    "FROM read_parquet('{other}/rows.csv')",
    "FROM parquet_metadata('{other}/rows.csv')",
    "FROM sniff_csv('{other}/rows.csv')",
    "FROM glob('{other}/*')",
    "FROM glob('/*')",
    "FROM query('FROM read_csv(''{other}/rows.csv'')')",
    "FROM query_table('{other}/rows.csv')",
    "FROM read_csv('https://example.com/rows.csv')",
    "FROM 's3://bucket/rows.parquet'",
    "SELECT getenv('HOME') AS a",
    "ATTACH '{folder}/second.duckdb' AS second",
    "COPY t TO '{other}/copy.csv'",
    "EXPORT DATABASE '{other}'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "FROM sqlite_scan('{other}/rows.csv', 't')",
]


@pytest.mark.parametrize("sql", _REACHING_OUT)
def test_nothing_beside_the_database_is_read(sql: str, beside: Path) -> None:
    """No file, no network, no environment, no other database; the folder that is allowed changes none of that."""
    for read_files in ((), (beside / "it's allowed",)):
        config = Config(name="shop", path=beside / "shop.duckdb", read_files=read_files)
        query = sql.format(other=beside / "other", folder=beside)
        with connect(config) as session, pytest.raises(QueryError) as caught:
            list(session.stream(query))
        assert PLANTED not in str(caught.value)
        assert str(beside) not in str(caught.value) or "does not exist" in str(caught.value)
    assert sorted(path.name for path in (beside / "other").iterdir()) == ["rows.csv"]


@pytest.mark.parametrize(
    "way",
    [
        "../other/rows.csv",
        "link/rows.csv",
        "link.csv",
        "sub/../../other/rows.csv",
        "*/../../other/rows.csv",
        "**/../*.csv",
    ],
)
def test_no_way_leads_out_of_a_folder_that_is_allowed(way: str, beside: Path) -> None:
    """Neither two dots nor symbolic links."""
    allowed = beside / "it's allowed"
    config = Config(name="shop", path=beside / "shop.duckdb", read_files=(allowed,))
    path = f"{allowed}/{way}".replace("'", "''")
    with connect(config) as session, pytest.raises(QueryError):
        list(session.stream(f"SELECT * FROM read_csv('{path}')"))


def test_files_of_a_folder_that_is_allowed_are_read(beside: Path) -> None:
    """Through views too, and by several sessions at once; without `read_files` the error names it."""
    config = Config(name="shop", path=beside / "shop.duckdb", read_files=(beside / "it's allowed",))
    with connect(config) as one, connect(config) as other:
        for session in (one, other):
            (batch,) = session.stream("SELECT v.id, v.plan FROM v JOIN t ON v.id = t.id")
            assert batch.to_pylist() == [{"id": 1, "plan": PLANTED}]
    with connect(config.model_copy(update={"read_files": ()})) as session:
        with pytest.raises(QueryError, match="name their folder under `read_files`"):
            list(session.stream("SELECT * FROM v"))
        with pytest.raises(SourceUnavailableError, match="open with other `read_files`"), connect(config):
            pass


def test_a_folder_that_is_not_there_is_an_error(beside: Path) -> None:
    """A mistyped folder must not look like a query that may not read."""
    config = Config(name="shop", path=beside / "shop.duckdb", read_files=(beside / "none",))
    with pytest.raises(SourceUnavailableError, match=r"there is no folder .*none"), connect(config):
        pass


def test_folders_are_relative_to_the_file_that_names_them(beside: Path) -> None:
    """As `path` is."""
    (beside / "syncs").mkdir()
    text = """
databases: {shop: {type: duckdb, path: ../shop.duckdb, read_files: [../other, "../it's allowed"]}}
workspaces: {main: {site_id: "${S}", track_api_key: "${T}"}}
"""
    (beside / "syncs" / "connections.yaml").write_text(text)
    config = load_project(beside / "syncs").databases["shop"]
    with connect(config) as session:
        (batch,) = session.stream(f"SELECT id FROM '{beside}/other/rows.csv'")
    assert batch.to_pylist() == [{"id": 1}]


@pytest.mark.thorough
def test_a_sort_larger_than_memory_still_goes_to_disk(beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB's own temporary files are none of the files that are closed off."""
    monkeypatch.setattr("reverse_etl.sources.duckdb.engine.MEMORY", "60MB")
    query = "SELECT repeat('x', 60) || hash(range) AS t FROM range(1000000) ORDER BY t"
    with connect(Config(name="shop", path=beside / "shop.duckdb")) as session:
        assert sum(batch.num_rows for batch in session.stream(query)) == 1_000_000
