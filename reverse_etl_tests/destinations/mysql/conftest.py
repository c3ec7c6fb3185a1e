"""The servers that the tests of MySQL write to."""

from __future__ import annotations

from reverse_etl_tests.destinations.mysql.server import as_mysql, server
from reverse_etl_tests.servers.mariadb import mariadb

__all__ = ["as_mysql", "mariadb", "server"]
