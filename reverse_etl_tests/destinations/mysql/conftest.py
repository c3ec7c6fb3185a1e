"""The servers that the tests of MySQL write to: those of their own, or that of ``own.URL_VARIABLE``."""

from __future__ import annotations

import os

from reverse_etl_tests.destinations.mysql import own
from reverse_etl_tests.destinations.mysql.server import as_mysql, server
from reverse_etl_tests.servers import mariadb as here

mariadb = own.mariadb if os.environ.get(own.URL_VARIABLE) else here.mariadb

__all__ = ["as_mysql", "mariadb", "server"]
