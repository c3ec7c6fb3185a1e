"""Each column of a query is traced to the columns of the tables that it is made of."""

from __future__ import annotations

import pytest

from reverse_etl.changeset.lineage import column_origins
from reverse_etl_tests.dialects import DIALECTS as SPOKEN

SPENT = """
WITH orders_of AS (SELECT customer_id, SUM(total) AS spent FROM sales.orders GROUP BY 1)
SELECT c.id, LOWER(c.email) AS email, COALESCE(o.spent, 0) AS spent, c.first || c.last AS name, 1 AS one
FROM customers c LEFT JOIN orders_of o ON o.customer_id = c.id WHERE c.updated_at >= {{last_sync_time}}
"""
CUSTOMERS = ("customers",)


@pytest.mark.parametrize(
    ("sql", "dialect", "columns", "expected"),
    [
        (
            SPENT,
            "postgres",
            ("id", "email", "spent", "name", "one"),
            {
                "id": ((CUSTOMERS, "id"),),
                "email": ((CUSTOMERS, "email"),),
                "spent": ((("sales", "orders"), "total"),),
                "name": ((CUSTOMERS, "first"), (CUSTOMERS, "last")),
            },
        ),
        (
            "SELECT id, UNIX_TIMESTAMP(created_at) AS created_at FROM shop.customers",
            "mysql",
            ("id", "created_at"),
            {"id": ((("shop", "customers"), "id"),), "created_at": ((("shop", "customers"), "created_at"),)},
        ),
        (
            "SELECT id FROM a UNION ALL SELECT pid FROM b",
            "sqlite",
            ("id",),
            {"id": ((("a",), "id"), (("b",), "pid"))},
        ),
        ("SELECT * FROM customers", "duckdb", ("id",), {"id": ((CUSTOMERS, "id"),)}),
        ("SELECT * FROM a JOIN b USING (id)", "duckdb", ("id",), {}),
        ("SELECT name FROM a JOIN b ON a.id = b.id", "postgres", ("name",), {}),
        ("SELECT id FROM customers", "snowflake", ("ID",), {"ID": ((("CUSTOMERS",), "ID"),)}),
        ("SELEC nonsense", "postgres", ("id",), {}),
    ],
)
def test_columns_are_traced_to_their_tables(
    sql: str, dialect: str, columns: tuple[str, ...], expected: dict[str, object]
) -> None:
    """Through WITH, functions and UNION; not where only the database could tell."""
    assert expected == column_origins(sql, SPOKEN[dialect], columns)
