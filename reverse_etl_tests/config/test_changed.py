"""``{{changed: c}}`` in a query's text: which table it names, and what is wrong with it."""

from __future__ import annotations

import pytest

from reverse_etl.changeset.asked import asked
from reverse_etl.changeset.lineage import column_origins
from reverse_etl.changeset.query import check_query, render, tables_read
from reverse_etl.config.changed import changed_tables
from reverse_etl.config.dialect import UNKNOWN
from reverse_etl.config.inline import parse_sync
from reverse_etl.config.row_choice import advice
from reverse_etl_tests.dialects import DIALECTS as SPOKEN

POSTGRES = SPOKEN["postgres"]
OTHERS = ("sqlite", "duckdb", "mysql", "redshift", "tsql", "bigquery", "snowflake")


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT id FROM customers WHERE {{changed: customers}}", [("customers", ("customers",), 1)]),
        ("SELECT id FROM sales.customers c\nWHERE {{ changed : c }};", [("c", ("sales", "customers"), 2)]),
        ('SELECT id FROM "Sales"."C" AS "a b" WHERE {{changed: "a b"}}', [("a b", ("Sales", "C"), 1)]),
        ("SELECT id FROM Customers C WHERE {{changed: c}}", [("c", ("customers",), 1)]),
        ("WITH c AS (SELECT id FROM people p WHERE {{changed: p}}) SELECT id FROM c", [("p", ("people",), 1)]),
        (
            "SELECT c.id FROM customers c LEFT JOIN orders o ON o.customer_id = c.id\n"
            "WHERE {{changed: c}} OR\n {{changed: o}}",
            [("c", ("customers",), 2), ("o", ("orders",), 3)],
        ),
        ("SELECT c.id FROM (customers c JOIN orders o ON true) WHERE {{changed: o}}", [("o", ("orders",), 1)]),
        (
            "SELECT id FROM customers c WHERE id IN (SELECT customer_id FROM orders o WHERE {{changed: o}})"
            " OR EXISTS (SELECT FROM plans p WHERE {{changed: c}} AND p.id = c.plan)",
            [("o", ("orders",), 1), ("c", ("customers",), 1)],
        ),
        (
            "SELECT id FROM customers c WHERE {{changed: c}} UNION SELECT id FROM leads c WHERE {{changed: c}}",
            [("c", ("customers",), 1), ("c", ("leads",), 1)],
        ),
    ],
)
def test_it_names_a_table_of_the_query(sql: str, tables: list[tuple[str, tuple[str, ...], int]]) -> None:
    """By its name or alias, in whichever part of the query it stands."""
    assert [] == check_query(sql, POSTGRES)
    found = {(table.alias, table.parts, table.line) for table in changed_tables(sql, POSTGRES)}
    assert set(tables) == found
    assert () == advice(sql, POSTGRES)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        (
            "SELECT id FROM customers c\nWHERE {{changed: x}}",
            "line 2: {{changed: x}}: the query has no table called `x`",
        ),
        (
            "SELECT id FROM (SELECT id FROM customers) c WHERE {{changed: c}}",
            "line 1: {{changed: c}}: `c` is no table: use the placeholder where its tables are read",
        ),
        (
            "WITH c AS (SELECT 1 AS id) SELECT id FROM c\n\nWHERE {{changed: c}}",
            "line 3: {{changed: c}}: `c` is no table: use the placeholder where its tables are read",
        ),
        (
            "SELECT id FROM generate_series(1, 9) AS id WHERE {{changed: id}}",
            "line 1: {{changed: id}}: `id` is no table: use the placeholder where its tables are read",
        ),
        (
            "SELECT id FROM customers c WHERE '{{changed: c}}'",
            "line 1: {{changed: ...}} is a condition: take it out of the quotes",
        ),
        (
            "SELECT id FROM customers c WHERE {{changed}}",
            "line 1: unknown placeholder {{changed}}; write {{changed: c}}, with a table of the query by its alias",
        ),
        (
            "SELECT id FROM customers k WHERE {{Change: k}}",
            "line 1: unknown placeholder {{Change: k}}; write {{changed: k}}, with a table of the query by its alias",
        ),
        (
            "SELECT id FROM sales.c WHERE {{changed: sales.c}}",
            "line 1: unknown placeholder {{changed: sales.c}}; write {{changed: c}}, with a table of the query by its "
            "alias",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(sql: str, problem: str) -> None:
    """Before a database is asked."""
    assert [problem] == check_query(sql, POSTGRES)


@pytest.mark.parametrize("dialect", OTHERS)
def test_other_engines_do_not_mark_their_rows(dialect: str) -> None:
    """So they have no such placeholder."""
    (problem,) = check_query("SELECT id\nFROM customers c WHERE {{changed: c}}", SPOKEN[dialect])
    assert problem == (
        "line 2: {{changed: c}}: this kind of database does not mark the rows that changed; compare a column with "
        "{{last_sync_time}}"
    )


def test_an_unknown_engine_may_have_it() -> None:
    """As with everything that only the engine can tell."""
    assert [] == check_query("SELECT id FROM customers c WHERE {{changed: c}}", UNKNOWN)


def test_limits_lose_rows_beside_it_too() -> None:
    """As they do beside last sync time."""
    ((line, text),) = advice("SELECT id FROM c WHERE {{changed: c}}\nLIMIT 5", POSTGRES)
    assert (2, True) == (line, text.startswith("LIMIT cuts rows off"))


def test_it_is_a_condition_on_the_alias_when_the_query_is_run() -> None:
    """Every row, where nothing is remembered."""
    sql = 'SELECT id FROM customers AS "C c" WHERE {{changed: "C c"}} AND at >= {{last_sync_time}}'
    assert 'SELECT id FROM customers AS "C c" WHERE TRUE AND at >= 7' == render(sql, 7)
    assert 'WHERE f("C c".xmin) AND at >= 7' in render(sql, 7, "f({table}.xmin)")


def test_tables_and_columns_are_traced_as_ever() -> None:
    """Lineage does not see it."""
    sql = "SELECT c.id, c.plan FROM sales.customers c WHERE {{changed: c}}"
    assert (("sales", "customers"),) == tables_read(sql, POSTGRES)
    origins = column_origins(sql, POSTGRES, ("id", "plan"))
    assert {"id": ((("sales", "customers"), "id"),), "plan": ((("sales", "customers"), "plan"),)} == origins


def test_white_space_in_it_is_no_change_of_the_query() -> None:
    """Another table is."""

    def hashed(condition: str) -> str:
        settings = {"database": "shop", "workspace": "main", "schedule": "manual", "people": {"identify_by": "id"}}
        sync = parse_sync("people", {**settings, "query": f"SELECT a.id FROM t a JOIN t b ON true WHERE {condition}"})
        return asked(sync, POSTGRES)["query"]

    assert hashed("{{changed: a}}") == hashed("{{  changed:a }}") != hashed("{{changed: b}}")
