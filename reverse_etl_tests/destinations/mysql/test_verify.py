"""Rows of MySQL's tables that are looked up again."""

from __future__ import annotations

import pytest

from reverse_etl_tests.destinations.mysql.server import ACCOUNT, DATABASE
from reverse_etl_tests.destinations.sql.verified import SqlLookUps, SqlTablesShown, SqlVerify, crm

__all__ = ["crm"]


class TestLookUps(SqlLookUps):
    """As the suite says."""


@pytest.mark.thorough
class TestVerify(SqlVerify):
    """As the suite says."""


@pytest.mark.thorough
class TestTablesShown(SqlTablesShown):
    """As the suite says."""

    revoke = f"REVOKE INSERT ON {DATABASE}.* FROM {ACCOUNT}"
