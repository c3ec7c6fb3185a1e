"""Rows of Snowflake's tables that are looked up again."""

from __future__ import annotations

from reverse_etl_tests.destinations.sql.verified import SqlLookUps


class TestLookUps(SqlLookUps):
    """As the suite says."""
