"""Rows of a DataFrame into a table of MariaDB."""

from __future__ import annotations

from reverse_etl_tests.destinations.sql.pushes import SqlPushes, crm

__all__ = ["crm"]


class TestPushes(SqlPushes):
    """As the suite says."""
