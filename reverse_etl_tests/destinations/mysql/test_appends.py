"""Rows that MySQL only adds."""

from __future__ import annotations

from reverse_etl_tests.destinations.mysql.server import ACCOUNT, DATABASE
from reverse_etl_tests.destinations.sql.appends import SqlAppends


class TestAppends(SqlAppends):
    """A row of the number that the table gave shows that a transaction was committed; nothing else does."""

    numbered = (
        "CREATE TABLE customers (n int AUTO_INCREMENT PRIMARY KEY, name varchar(40), score int); "
        f"REVOKE SELECT ON {DATABASE}.* FROM {ACCOUNT}; GRANT SELECT (n) ON customers TO {ACCOUNT}"
    )
    unnumbered_is_known = False
