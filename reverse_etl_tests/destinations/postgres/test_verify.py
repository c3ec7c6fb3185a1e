"""Rows of PostgreSQL's tables that are looked up again."""

from __future__ import annotations

from reverse_etl_tests.destinations.sql.verified import SqlLookUps, SqlTablesShown, SqlVerify, crm
from reverse_etl_tests.servers.postgres import USER

__all__ = ["crm"]


class TestLookUps(SqlLookUps):
    """As the suite says."""


class TestVerify(SqlVerify):
    """As the suite says."""


class TestTablesShown(SqlTablesShown):
    """As the suite says."""

    revoke = f"REVOKE INSERT ON customers FROM {USER}"
