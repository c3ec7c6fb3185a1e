"""The server that the tests of PostgreSQL write to: one of their own, or that of ``own.URL_VARIABLE``."""

from __future__ import annotations

import os

from reverse_etl_tests.destinations.postgres import own
from reverse_etl_tests.destinations.postgres.server import server
from reverse_etl_tests.servers import postgres as here

postgres = own.postgres if os.environ.get(own.URL_VARIABLE) else here.postgres

__all__ = ["postgres", "server"]
