"""Rows of Snowflake's tables that are looked up again, and tables as they are shown."""

from __future__ import annotations

import pytest

from reverse_etl_tests.destinations.snowflake.server import ROLE
from reverse_etl_tests.destinations.snowflake.test_run import crm
from reverse_etl_tests.destinations.sql.verified import SqlLookUps, SqlTablesShown, SqlVerify

__all__ = ["crm"]


class TestLookUps(SqlLookUps):
    """As the suite says."""


@pytest.mark.thorough
class TestVerify(SqlVerify):
    """As the suite says."""


class TestTablesShown(SqlTablesShown):
    """As the suite says."""

    revoke = f"REVOKE INSERT ON ALL TABLES IN SCHEMA CRM.PUBLIC FROM ROLE {ROLE}"
    email = "EMAIL"
