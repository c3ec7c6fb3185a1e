"""Rows asked for again by identifier: whatever the query and the identifiers look like, and no other rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one
from sqlglot.dialects.dialect import Dialect

from reverse_etl.changeset import again as again_module
from reverse_etl.changeset import picking
from reverse_etl.changeset.again import FailedBefore, RowsAgain
from reverse_etl.changeset.failed_rows import batches_of
from reverse_etl.changeset.failed_rows_csv import write_failed_rows
from reverse_etl.changeset.picking import condition, picked
from reverse_etl.changeset.query import check_query
from reverse_etl.changeset.text import as_text
from reverse_etl.config.connections import DatabaseConfig
from reverse_etl.config.streams import Stream
from reverse_etl.report import CANCELED, FailedRow, Reason
from reverse_etl.sources import connect, engine
from reverse_etl.sources.base import marked
from reverse_etl.sources.duckdb import Config as DuckDB
from reverse_etl.sources.sqlite import Config as SQLite
from reverse_etl_tests.dialects import DIALECTS as SPOKEN

DIALECTS = ["sqlite", "duckdb", "postgres", "mysql", "redshift", "tsql", "bigquery", "snowflake"]


def failed(identifier: str, query: str = "rows", attempt: int = 1) -> FailedRow:
    """A failed row."""
    return FailedRow(1, query, identifier, "check", Reason("r", "", "m"), attempt)


def stream(sql: str, name: str = "rows") -> Stream:
    """The stream of a query whose rows have an id."""
    return Stream(name, sql, identifier=("id",))


def before(folder: Path, *rows: FailedRow) -> FailedBefore:
    """A run with these failed rows."""
    write_failed_rows(folder / "it's.csv", batches_of(rows))
    return FailedBefore("r1", folder / "it's.csv")


def lake(folder: Path) -> DuckDB:
    """An empty DuckDB file."""
    path = folder / "lake.duckdb"
    duckdb.connect(path).close()
    return DuckDB(name="lake", path=path)


def read(config: DatabaseConfig, sql: str, failed: FailedBefore, query: str = "rows") -> tuple[list[str | None], int]:
    """The identifiers of the rows that are there, in order, and how many others were reported as not found."""
    dialect = engine(config.type).DIALECT
    with connect(config) as session:
        again = RowsAgain(session, stream(sql, query), dialect, failed)
        batches = list(again.batches())
    texts = [text for batch in batches for text in as_text(batch.column("id"), batch.schema.field("id")).to_pylist()]
    return texts[: len(texts) - again.not_found], again.not_found


def shop(folder: Path, *identifiers: object) -> SQLite:
    """A SQLite file with a table of these people."""
    path = folder / "shop.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE people (id, plan)")
        database.executemany("INSERT INTO people VALUES (?, 'a')", [(value,) for value in identifiers])
    return SQLite(name="shop", path=path)


def test_what_failed_is_read_from_the_csv(tmp_path: Path) -> None:
    """By query; rows without an identifier are counted."""
    run = before(
        tmp_path, failed("b", attempt=3), failed(""), failed("7", "relationships"), failed("", "relationships")
    )
    assert (3, (0, 2)) == (run.attempt(), run.without_identifier())
    assert (["7"], 1) == read(shop(tmp_path, "b", "7"), "SELECT id FROM people", run, "relationships")


def test_rows_that_the_run_left_without_an_answer_are_counted_apart(tmp_path: Path) -> None:
    """Their stage and reason tell: a destination's own word may be the same one."""
    left, own = FailedRow(1, "rows", "", *CANCELED), FailedRow(2, "rows", "", "slack", CANCELED.why)
    assert (2, 2) == before(tmp_path, left, own, failed(""), left).without_identifier()


def test_rows_that_are_not_found_are_reported(tmp_path: Path) -> None:
    """One for each failed row, with its identifier and nothing else; nothing is asked of one that has none."""
    run = before(tmp_path, *map(failed, ["b", "gone", "", "gone", "b"]))
    with connect(shop(tmp_path, "b", "", None)) as session:
        again = RowsAgain(session, stream("SELECT id, plan FROM people"), SPOKEN["sqlite"], run)
        rows = [row for batch in again.batches() for row in batch.to_pylist()]
    nobody = [{"id": "gone", "plan": None}, {"id": None, "plan": None}, {"id": "gone", "plan": None}]
    assert ([{"id": "b", "plan": "a"}, *nobody], 3) == (rows, again.not_found)


def test_what_a_spreadsheet_would_run_is_asked_for_as_it_was(tmp_path: Path) -> None:
    """The apostrophe that makes a cell harmless is no part of the identifier; others are."""
    identifiers = [
        "'=1",
        "''@",
        "'tis",
        "+1",
        "-5",
        '=HYPERLINK("x","y")',
        "@a",
        "\uff1dx",
        "\tx",
        "\rx",
        "\nx",
        "=a\r\nb",
        "a;=1;'-2;'b",
        "\t\t=1\n+2",
        ";;''@",
    ]
    run = before(tmp_path, *map(failed, identifiers))
    found, gone = read(shop(tmp_path, *identifiers, "tis", "=1", "x"), "SELECT id FROM people", run)
    assert (sorted(identifiers), 0) == (sorted(map(str, found)), gone)


def test_many_identifiers_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is lost or read twice where a piece ends, and none that is not found is forgotten."""
    monkeypatch.setattr(again_module, "MOST_IDENTIFIERS", 2)
    people = [f"p{number}" for number in range(9)]
    run = before(tmp_path, *map(failed, [*people, "back\\slash", ""]))
    found, gone = read(shop(tmp_path, *people[:6], "back\\slash"), "SELECT id FROM people", run)
    assert ([*people[:6], "back\\slash"], 4) == (found, gone)


@pytest.mark.parametrize(
    "stored", [7, "7", 7.0, 42.5, 2**63 - 1, -(2**63), 1234567890123456789, 1.2345678901234568e18, 1e20, "42.0", "1e5"]
)
def test_sqlite_is_asked_for_every_type_that_it_may_hold(stored: object, tmp_path: Path) -> None:
    """A number or a text, to its last digit; one that only looks alike is left alone."""
    config = shop(tmp_path, stored, 5, "x", 1234567890123456788, 42.0, 100000)
    (identifier, *_), _ = everybody(config)
    assert ([identifier], 0) == read(config, "SELECT id FROM people", before(tmp_path, failed(str(identifier))))


def everybody(config: SQLite) -> tuple[list[str], int]:
    """Every identifier of the table, as text."""
    with connect(config) as session:
        batches = list(session.stream("SELECT id FROM people"))
    return [t for batch in batches for t in as_text(batch.column("id"), batch.schema.field("id")).to_pylist()], 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(st.text(alphabet="a'\"`;-% {}é\\😀", min_size=1), unique=True, max_size=6))
def test_no_identifier_is_taken_for_sql(asked: list[str], tmp_path: Path) -> None:
    """Quotes, comment signs and other scripts pick the row that has them as its id, and nothing else."""
    found, gone = read(
        shop(tmp_path, *asked, "other"), "SELECT id FROM people; -- all", before(tmp_path, *map(failed, asked))
    )
    assert (sorted(asked), 0) == (sorted(map(str, found)), gone)


@pytest.mark.parametrize(
    ("column", "identifier"),
    [
        ("7::INTEGER", "7"),
        ("1234567890123456789::BIGINT", "1234567890123456789"),
        ("(-9223372036854775808)::BIGINT", "-9223372036854775808"),
        ("18446744073709551615::UBIGINT", "18446744073709551615"),
        ("170141183460469231731687303715884105727::HUGEINT", "170141183460469231731687303715884105727"),
        ("7.5::DOUBLE", "7.5"),
        ("42.0::DOUBLE", "42"),
        ("0.1::FLOAT", "0.1"),
        ("1e300::DOUBLE", "1" + "0" * 300),
        ("7.50::DECIMAL(9, 2)", "7.5"),
        ("42.00::DECIMAL(9, 2)", "42"),
        ("99999999999999999999999999999999999999::DECIMAL(38, 0)", "9" * 38),
        ("'ä'", "ä"),
        ("'back\\slash'", "back\\slash"),
        ("'line' || chr(10) || 'break'", "line\nbreak"),
        ("uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("true", "true"),
        ("date '2026-01-05'", "2026-01-05"),
        ("timestamp '2026-01-05 00:00:00.5'", "1767571200"),
        ("to_json('x')", "x"),
    ],
)
def test_identifiers_are_compared_as_their_column_is(column: str, identifier: str, tmp_path: Path) -> None:
    """Whatever the type, the row is found; a text that is no value of the column is reported, and no error."""
    others = {"x", "7", "1.5", "it's"} - {identifier}
    run = before(tmp_path, *map(failed, (identifier, *others)))
    found, gone = read(lake(tmp_path), f"WITH x AS (SELECT {column} AS id) SELECT id FROM x ORDER BY id -- newest", run)
    assert ([identifier], len(others)) == (found, gone)


@pytest.mark.parametrize(
    "spellings",
    [("'5'::JSON", "'5.0'::JSON", "'\"5\"'::JSON"), ("to_json(5)", "to_json('5')"), ("'5e0'::JSON", "'5'::JSON")],
)
def test_every_row_of_an_identifier_is_found(spellings: tuple[str, ...], tmp_path: Path) -> None:
    """However JSON spells it; rows of others are left alone."""
    union = " UNION ALL ".join(f"SELECT {spelling} AS id" for spelling in (*spellings, "'50'::JSON", "'null'::JSON"))
    found, gone = read(lake(tmp_path), union, before(tmp_path, failed("5"), failed("null")))
    assert (["5"] * len(spellings), 1) == (found, gone)


@pytest.mark.parametrize("stored", [(5, 5.0, "5"), (5.0, "5"), (-0.0, 0, "0"), (2**53, float(2**53))])
def test_every_row_of_an_identifier_is_found_in_sqlite(stored: tuple[object, ...], tmp_path: Path) -> None:
    """Whatever type each has in a column without one."""
    config = shop(tmp_path, *stored, "5.0", 6)
    identifier = str(stored[-1]).removesuffix(".0")
    found, gone = read(config, "SELECT id FROM people", before(tmp_path, failed(identifier)))
    assert ([identifier] * len(stored), 0) == (found, gone)


def test_more_than_was_asked_for_is_left_out(tmp_path: Path) -> None:
    """A collation that knows no case finds others too."""
    sql = "SELECT id COLLATE NOCASE AS id FROM (SELECT 'Ann' AS id UNION ALL SELECT 'ann')"
    assert (["ann"], 0) == read(lake(tmp_path), sql, before(tmp_path, failed("ann")))


def test_a_result_without_the_identifier_is_left_to_others(tmp_path: Path) -> None:
    """The columns are known, so that the run can say what is missing."""
    with connect(lake(tmp_path)) as session:
        again = RowsAgain(session, stream("SELECT 1 AS other"), SPOKEN["duckdb"], before(tmp_path, failed("1")))
        (batch,) = again.batches()
    assert ["other"] == batch.schema.names


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.null(), "decimal", "json"])
def test_every_engine_can_read_what_it_is_asked(dialect: str, kind: pa.DataType | str) -> None:
    """A condition of every type; 19 digits and more stay whole."""
    field = marked("id", kind) if isinstance(kind, str) else pa.field("id", kind)
    asked = condition(
        "id", ["1234567890123456789", "18446744073709551615", "9" * 38, "x", "it's"], field, SPOKEN[dialect]
    )
    if kind == "json" and dialect != "sqlite":
        assert (asked.sql, asked.exact) == ("", False)
        return
    assert parse_one(picked("SELECT 1 AS id", asked.sql, SPOKEN[dialect]), read=dialect)
    assert all(digits in asked.sql for digits in ("1234567890123456789", "18446744073709551615", "9" * 38))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_engine_is_asked_in_its_own_words(dialect: str) -> None:
    """A query with a WITH, an ORDER BY, a semicolon and a comment stays one statement."""
    sql = picked("WITH a AS (SELECT 1 AS id)\nSELECT id FROM a ORDER BY id; -- done", "q.id IN ('1')", SPOKEN[dialect])
    assert parse_one(sql, read=dialect)
    assert ";" not in sql
    assert (dialect == "tsql") == sql.startswith("WITH")
    assert (dialect == "tsql") == ("ORDER BY" not in sql)


def test_the_first_rows_stay_the_first_rows() -> None:
    """In T-SQL the order decides which rows TOP takes."""
    assert "ORDER BY" in picked("SELECT TOP 5 id FROM a ORDER BY id", "1 = 0", SPOKEN["tsql"])
    assert "OPENROWSET what" in picked("SELECT OPENROWSET what ever ((", "1 = 0", SPOKEN["tsql"])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "around", ["{}; -- everyone; nightly", ";{};\n;", "-- a; b\n{} -- the ; end", "/* ; */ {} /* ; */ ;"]
)
def test_semicolons_and_comments_stay_outside_of_the_table(around: str, dialect: str) -> None:
    """What is picked from is one statement, whatever stood around it."""
    sql = picked(around.format("WITH a AS (SELECT 1 AS id) SELECT id FROM a"), "q.id IN ('1')", SPOKEN[dialect])
    (_, where) = sql.rsplit(") AS q WHERE ", 1)
    assert where == "q.id IN ('1')"
    assert [] == check_query(sql, SPOKEN[dialect])
    assert ["ID"] == [column.upper() for column in parse_one(sql, read=dialect).find(exp.Subquery).this.named_selects]


def test_hints_of_sql_server_stay_outside_of_the_table() -> None:
    """OPTION stands at the end of a whole statement only."""
    sql = picked("SELECT id FROM a OPTION (RECOMPILE)", "1 = 0", SPOKEN["tsql"])
    assert "OPTION" not in sql


@pytest.mark.parametrize("dialect", DIALECTS)
@given(value=st.text(alphabet="ab'\"`;-% {}é😀", max_size=12))
@settings(max_examples=40, deadline=None)
def test_a_quoted_identifier_is_one_token(dialect: str, value: str) -> None:
    """Read back by the engine's own rules it is the same text."""
    if dialect == "redshift":
        # sqlglot reads a backslash as an escape there, which quoting here never relies on.
        assert f"'{value.replace(chr(39), chr(39) * 2)}'" == picking.text_literal(value, SPOKEN[dialect])
        return
    (token,) = Dialect.get_or_raise(dialect).tokenize(picking.text_literal(value, SPOKEN[dialect]))
    assert value == token.text
