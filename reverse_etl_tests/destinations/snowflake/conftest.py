"""The account that the tests of Snowflake write to."""

from __future__ import annotations

from reverse_etl_tests.destinations.snowflake.server import owner, server
from reverse_etl_tests.servers.snowflake import snowflake

__all__ = ["owner", "server", "snowflake"]
