"""Rows of MySQL's tables that are looked up again."""

from __future__ import annotations

import pytest

from reverse_etl_tests.destinations.sql.verified import SqlLookUps, SqlVerify, crm

__all__ = ["crm"]


class TestLookUps(SqlLookUps):
    """As the suite says."""


@pytest.mark.thorough
class TestVerify(SqlVerify):
    """As the suite says."""
