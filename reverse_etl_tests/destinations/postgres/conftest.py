"""The server that the tests of PostgreSQL write to."""

from __future__ import annotations

from reverse_etl_tests.destinations.postgres.server import server
from reverse_etl_tests.servers.postgres import postgres

__all__ = ["postgres", "server"]
