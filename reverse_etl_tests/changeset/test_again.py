"""Rows asked for again by identifier: whatever the query and the identifiers look like, and no other rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one
from sqlglot.dialects.dialect import Dialect

from reverse_etl.changeset import again
from reverse_etl.changeset.again import FailedBefore, picked, rows_again
from reverse_etl.changeset.query import check_query
from reverse_etl.report import FailedRow, write_failed_rows
from reverse_etl.sources import connect
from reverse_etl.sources.duckdb import Config as DuckDB
from reverse_etl.sources.sqlite import Config as SQLite

DIALECTS = ["sqlite", "duckdb", "postgres", "mysql", "redshift", "tsql", "bigquery", "snowflake"]


def failed(identifier: str, query: str = "rows", attempt: int = 1) -> FailedRow:
    """A failed row."""
    return FailedRow(1, query, identifier, "check", "r", "", "m", attempt)


def before(folder: Path, *rows: FailedRow) -> FailedBefore:
    """A run with these failed rows."""
    write_failed_rows(folder / "it's.csv", rows)
    return FailedBefore("r1", folder / "it's.csv")


def lake(folder: Path) -> DuckDB:
    """An empty DuckDB file."""
    path = folder / "lake.duckdb"
    duckdb.connect(path).close()
    return DuckDB(name="lake", path=path)


def test_what_failed_is_read_from_the_csv(tmp_path: Path) -> None:
    """Each identifier once, by query; empty ones and those that no engine is sure to take are counted instead."""
    rows = [
        failed("b"),
        failed('a "x",\n', attempt=3),
        failed("b"),
        failed(""),
        failed("back\\slash"),
        failed("7", "relationships"),
    ]
    run = before(tmp_path, *rows)
    assert [["b"]] == list(run.identifiers("rows"))
    assert [["7"]] == list(run.identifiers("relationships"))
    assert (3, 3) == (run.attempt(), run.without_identifier())


def test_cells_that_were_made_harmless_are_asked_for_as_they_were(tmp_path: Path) -> None:
    """The apostrophe that keeps a spreadsheet from running a cell is no part of the identifier; others are."""
    identifiers = ["'=1", "''@", "'tis", "+1", "-5", '=HYPERLINK("x","y")', "@a", "\uff1dx"]
    run = before(tmp_path, *map(failed, identifiers))
    (found,) = run.identifiers("rows")
    assert sorted(identifiers) == sorted(found)


def test_many_identifiers_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is lost or said twice where a piece ends."""
    monkeypatch.setattr(again, "MOST_IDENTIFIERS", 2)
    run = before(tmp_path, *(failed(f"p{number}") for number in range(5)))
    assert [["p0", "p1"], ["p2", "p3"], ["p4"]] == list(run.identifiers("rows"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(st.text(alphabet="a'\"`;-% {}é\\😀", min_size=1), unique=True, max_size=6))
def test_no_identifier_is_taken_for_sql(asked: list[str], tmp_path: Path) -> None:
    """Quotes, comment signs and other scripts pick the row that has them as its id, and nothing else."""
    path = tmp_path / "shop.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as shop, shop:
        shop.execute("CREATE TABLE people (id)")
        shop.executemany("INSERT INTO people VALUES (?)", [(value,) for value in [*asked, "other"]])
    names = [value for value in asked if "\\" not in value]
    with connect(SQLite(name="shop", path=path)) as session:
        batches = rows_again(session, "SELECT id FROM people; -- all", "id", iter([names]), dialect="sqlite")
        assert sorted(names) == sorted(value for batch in batches for value in batch.column("id").to_pylist())


@pytest.mark.parametrize(
    ("column", "asked", "found"),
    [
        ("7::INTEGER", ["7", "x", "7.5"], 1),
        ("7.5::DOUBLE", ["7.5", "x"], 1),
        ("7.50::DECIMAL(9, 2)", ["7.50"], 1),
        ("'ä'", ["ä"], 1),
        ("uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], 1),
        ("true", ["true"], 1),
        ("7::INTEGER", ["x"], 0),
    ],
)
def test_identifiers_are_compared_as_their_column_is(column: str, asked: list[str], found: int, tmp_path: Path) -> None:
    """A number is asked for as a number; a text that is none is no row of such a column, and no error."""
    with connect(lake(tmp_path)) as session:
        again_sql = f"WITH x AS (SELECT {column} AS id) SELECT id FROM x ORDER BY id -- newest"
        batches = list(rows_again(session, again_sql, "id", iter([asked]), dialect="duckdb"))
    assert found == sum(batch.num_rows for batch in batches)


def test_a_result_without_the_identifier_is_left_to_others(tmp_path: Path) -> None:
    """The columns are known, so that the run can say what is missing."""
    with connect(lake(tmp_path)) as session:
        (batch,) = rows_again(session, "SELECT 1 AS other", "id", iter([["1"]]), dialect="duckdb")
    assert ["other"] == batch.schema.names


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_engine_is_asked_in_its_own_words(dialect: str) -> None:
    """A query with a WITH, an ORDER BY, a semicolon and a comment stays one statement."""
    sql = picked("WITH a AS (SELECT 1 AS id)\nSELECT id FROM a ORDER BY id; -- done", "q.id IN ('1')", dialect)
    assert parse_one(sql, read=dialect)
    assert ";" not in sql
    assert (dialect == "tsql") == sql.startswith("WITH")
    assert (dialect == "tsql") == ("ORDER BY" not in sql)


def test_the_first_rows_stay_the_first_rows() -> None:
    """In T-SQL the order decides which rows TOP takes."""
    assert "ORDER BY" in picked("SELECT TOP 5 id FROM a ORDER BY id", "1 = 0", "tsql")
    assert "OPENROWSET what" in picked("SELECT OPENROWSET what ever ((", "1 = 0", "tsql")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "around", ["{}; -- everyone; nightly", ";{};\n;", "-- a; b\n{} -- the ; end", "/* ; */ {} /* ; */ ;"]
)
def test_semicolons_and_comments_stay_outside_of_the_table(around: str, dialect: str) -> None:
    """What is picked from is one statement, whatever stood around it."""
    sql = picked(around.format("WITH a AS (SELECT 1 AS id) SELECT id FROM a"), "q.id IN ('1')", dialect)
    (_, where) = sql.rsplit(") AS q WHERE ", 1)
    assert where == "q.id IN ('1')"
    assert [] == check_query(sql, dialect)
    assert ["ID"] == [column.upper() for column in parse_one(sql, read=dialect).find(exp.Subquery).this.named_selects]


def test_hints_of_sql_server_stay_outside_of_the_table() -> None:
    """OPTION stands at the end of a whole statement only."""
    sql = picked("SELECT id FROM a OPTION (RECOMPILE)", "1 = 0", "tsql")
    assert "OPTION" not in sql


@pytest.mark.parametrize("dialect", DIALECTS)
@given(value=st.text(alphabet="ab'\"`;-% {}é😀", max_size=12))
@settings(max_examples=40, deadline=None)
def test_a_quoted_identifier_is_one_token(dialect: str, value: str) -> None:
    """Read back by the engine's own rules it is the same text."""
    if dialect == "redshift":
        # sqlglot reads a backslash as an escape there, which quoting here never relies on.
        assert f"'{value.replace(chr(39), chr(39) * 2)}'" == again._quoted(value, dialect)
        return
    (token,) = Dialect.get_or_raise(dialect).tokenize(again._quoted(value, dialect))
    assert value == token.text
