"""What is known of Snowflake's tables before it is done, and what is removed from them."""

from __future__ import annotations

from typing import ClassVar

from reverse_etl_tests.destinations.snowflake.server import ROLE
from reverse_etl_tests.destinations.sql.mirrors import SqlForesight, SqlSoftDeletes


class TestForesight(SqlForesight):
    """As the suite says."""

    grant_delete = f"GRANT DELETE ON TABLE CRM.PUBLIC.CUSTOMERS TO ROLE {ROLE}"
    types: ClassVar[dict[str, str]] = {"timestamp with time zone": "timestamp_ltz", "timestamp": "timestamp_ntz"}


class TestSoftDeletes(SqlSoftDeletes):
    """As the suite says."""

    instant = "timestamp_tz"
