"""Columns without a name are found, whatever an engine calls them; names that an engine gives stay names."""

from __future__ import annotations

import pytest

from reverse_etl.config.statement import read_statement
from reverse_etl.config.unnamed_columns import unnamed_in_result
from reverse_etl_tests.dialects import DIALECTS as SPOKEN

TEXT_AS_NAME = ["mysql", "sqlite", "duckdb", "snowflake", "bigquery", "tsql"]
NAMED_AFTER_FUNCTIONS = ["postgres", "redshift"]
DIALECTS = [*TEXT_AS_NAME, *NAMED_AFTER_FUNCTIONS]


def unnamed(sql: str, dialect: str) -> list[tuple[int, str]]:
    """What is wrong with a query's columns."""
    statement = read_statement(sql, SPOKEN[dialect])
    assert not statement.problems
    return list(statement.unnamed)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("expression", ["1", "'gold'", "-1", "NULL", "price * 2", "{{last_sync_time}}", "(1)"])
def test_a_value_without_a_name_is_a_problem_everywhere(expression: str, dialect: str) -> None:
    """The sentence has the place and the AS that is missing."""
    ((line, said),) = unnamed(f"SELECT id,\n  {expression} FROM t", dialect)
    assert said.startswith("column 2 has no name: write `")
    assert " AS name`" in said
    assert line in (1, 2)


@pytest.mark.parametrize(
    "expression", ["COUNT(*)", "lower(email)", "CAST(id AS CHAR(5))", "CASE WHEN 1 = 1 THEN 2 END"]
)
def test_functions_name_their_column_in_two_engines_only(expression: str) -> None:
    """There the name is the function's or the type's."""
    sql = f"SELECT id, {expression} FROM t"
    assert [1] * len(TEXT_AS_NAME) == [len(unnamed(sql, dialect)) for dialect in TEXT_AS_NAME]
    assert [0, 0] == [len(unnamed(sql, dialect)) for dialect in NAMED_AFTER_FUNCTIONS]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, t.email, COUNT(*) AS orders, 1 one FROM t GROUP BY id",
        "SELECT * FROM (SELECT id, COUNT(*) AS n FROM t GROUP BY id) AS q",
        "SELECT t.*, 1 AS one FROM t",
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u) ORDER BY lower(email)",
        "SELECT id, (SELECT MAX(at) FROM u) AS last FROM t UNION ALL SELECT 1, NULL",
        "WITH a AS (SELECT 1 AS id) SELECT id FROM a",
    ],
)
def test_columns_with_names_are_fine(sql: str, dialect: str) -> None:
    """Also where only the first part of a UNION names them, and where the column is not seen."""
    assert [] == unnamed(sql, dialect)


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("tsql", "SELECT id, orders = COUNT(*) FROM t"),
        ("tsql", "SELECT id COLLATE Latin1_General_CI_AS FROM t"),
        ("duckdb", "SELECT orders: COUNT(*), COLUMNS('x'), s.a, t.* EXCLUDE (b), unnest(z) FROM t"),
        ("duckdb", "FROM t"),
        ("bigquery", "SELECT s.a.b, x.* FROM t"),
        ("postgres", "SELECT id::text, (r).f, a AT TIME ZONE 'utc', x COLLATE \"C\" FROM t"),
        ("sqlite", "SELECT rowid, [order total] FROM t"),
    ],
)
def test_names_in_an_engines_own_way_are_names(dialect: str, sql: str) -> None:
    """Each engine has some."""
    assert [] == unnamed(sql, dialect)


@pytest.mark.parametrize(
    ("dialect", "names", "sql"),
    [
        ("tsql", ["id", ""], "SELECT id, 1 FROM t"),
        ("postgres", ["id", "?column?"], "SELECT * FROM (SELECT id, 1 FROM t) AS q"),
        ("redshift", ["?column?"], "SELECT 1"),
        ("bigquery", ["id", "f0_"], "SELECT * FROM (SELECT id, COUNT(*) FROM t)"),
        ("mysql", ["id", "COUNT(*)"], "SELECT * FROM (SELECT id, COUNT(*) FROM t) AS q"),
        ("duckdb", ["id", "count_star()"], "SELECT * FROM (SELECT id, count(*) FROM t)"),
        ("snowflake", ["ID", "COUNT(*)"], "SELECT * FROM (SELECT id, count( * ) FROM t)"),
        ("sqlite", ["id", "1"], "SELECT * FROM (SELECT id, 1 FROM t)"),
    ],
)
def test_what_the_text_did_not_tell_the_result_does(dialect: str, names: list[str], sql: str) -> None:
    """A `*` over a column without a name, a query that could not be read."""
    assert f"column {len(names)} has no name" in unnamed_in_result(names, sql, SPOKEN[dialect])


@pytest.mark.parametrize(
    ("dialect", "names", "sql"),
    [
        ("postgres", ["count", "lower", "int4"], "SELECT count(*), lower(a), 1::int FROM t"),
        ("duckdb", ["max(at)", "1"], 'SELECT max(at) AS "max(at)", 2 AS "1" FROM t'),
        ("mysql", ["revenue(usd)", "2024"], "SELECT * FROM t"),
        ("sqlite", ["Name (legal)"], "SELECT name(legal) AS [Name (legal)] FROM t"),
        ("bigquery", ["f0_"], "SELECT f0_ FROM t"),
    ],
)
def test_unusual_names_are_names(dialect: str, names: list[str], sql: str) -> None:
    """Which a table has, or which were asked for between quotes."""
    assert "" == unnamed_in_result(names, sql, SPOKEN[dialect])
