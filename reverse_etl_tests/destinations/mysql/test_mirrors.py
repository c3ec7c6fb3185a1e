"""What is known of MySQL's tables before it is done, and what is removed from them."""

from __future__ import annotations

from typing import ClassVar

import pytest

from reverse_etl_tests.destinations.mysql.server import ACCOUNT
from reverse_etl_tests.destinations.sql.mirrors import SqlForesight, SqlMirrorRuns, SqlSoftDeletes, crm

__all__ = ["crm"]

GRANT_DELETE = f"GRANT DELETE ON customers TO {ACCOUNT}"


class TestForesight(SqlForesight):
    """As the suite says."""

    grant_delete = GRANT_DELETE
    types: ClassVar[dict[str, str]] = {"timestamp with time zone": "timestamp(6)", "timestamp": "datetime(6)"}


class TestSoftDeletes(SqlSoftDeletes):
    """As the suite says."""

    instant = "timestamp"


@pytest.mark.thorough
class TestMirrorRuns(SqlMirrorRuns):
    """As the suite says."""

    grant_delete = GRANT_DELETE
