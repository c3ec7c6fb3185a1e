"""Texts that a query writes out for a column are found in every spelling that gives just them."""

from __future__ import annotations

import pytest
from sqlglot import parse_one

from reverse_etl.config.written_texts import written_texts


def texts(sql: str, dialect: str) -> list[tuple[int, str]]:
    """Those of the column `name`."""
    return list(written_texts(parse_one(sql, dialect=dialect), lambda projection: projection.alias_or_name == "name"))


@pytest.mark.parametrize(
    ("dialect", "sql", "expected"),
    [
        ("postgres", "SELECT 1 AS id,\n 'x' AS name", [(2, "x")]),
        ("postgres", "SELECT 'x' name", [(1, "x")]),
        ("postgres", "(SELECT ('x')::text AS name)", [(1, "x")]),
        ("postgres", "WITH e AS (SELECT 1) SELECT CAST('x' AS varchar) AS name FROM e", [(1, "x")]),
        ("postgres", "SELECT 1, 'x' AS name UNION ALL\nSELECT 2, 'y'", [(1, "x"), (2, "y")]),
        ("postgres", "SELECT CASE WHEN a THEN 'x' ELSE coalesce(b, 'y') END AS name FROM t", [(1, "x"), (1, "y")]),
        ("tsql", "SELECT name = N'x', N'y' AS other", [(1, "x")]),
        ("tsql", "SELECT IIF(a = 1, 'x', 'y') AS name FROM t", [(1, "x"), (1, "y")]),
        ("mysql", "SELECT \"x\" AS name, _utf8mb4'y' AS other", [(1, "x")]),
        ("mysql", "SELECT _utf8mb4'x' AS name", [(1, "x")]),
        ("bigquery", "SELECT r'x' AS name", [(1, "x")]),
        ("snowflake", "SELECT *, IFF(a, 'x', b) AS name FROM t", [(1, "x")]),
        ("duckdb", "SELECT *, 'x' AS name FROM t UNION ALL SELECT *, 'y' FROM u", [(1, "x")]),
        ("duckdb", "SELECT 1 AS id, 'x' AS name UNION ALL BY NAME SELECT 'y' AS name, 2 AS id", [(1, "x")]),
    ],
)
def test_a_text_and_its_line(dialect: str, sql: str, expected: list[tuple[int, str]]) -> None:
    """Also where it is one of several, or of several SELECTs."""
    assert expected == texts(sql, dialect)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM t",
        "SELECT 'x' AS other",
        "SELECT 'x' || kind AS name FROM t",
        "SELECT left('x', 1) AS name",
        "SELECT CAST('x' AS varchar(1)) AS name",
        "SELECT 7 AS name",
        "VALUES ('x')",
    ],
)
def test_what_is_made_of_a_text_is_not_that_text(sql: str) -> None:
    """A function, or a type with a length, may change it."""
    assert [] == texts(sql, "postgres")
