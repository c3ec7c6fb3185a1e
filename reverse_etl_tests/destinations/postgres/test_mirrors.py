"""What is known of PostgreSQL's tables before it is done, and what is removed from them."""

from __future__ import annotations

from typing import ClassVar

from reverse_etl_tests.destinations.sql.mirrors import SqlForesight, SqlMirrorRuns, SqlSoftDeletes, crm
from reverse_etl_tests.servers.postgres import USER

__all__ = ["crm"]

GRANT_DELETE = f"GRANT DELETE ON customers TO {USER}"


class TestForesight(SqlForesight):
    """As the suite says."""

    grant_delete = GRANT_DELETE
    types: ClassVar[dict[str, str]] = {"timestamp with time zone": "timestamptz", "timestamp": "timestamp"}


class TestSoftDeletes(SqlSoftDeletes):
    """As the suite says."""

    instant = "timestamptz"


class TestMirrorRuns(SqlMirrorRuns):
    """As the suite says."""

    grant_delete = GRANT_DELETE
