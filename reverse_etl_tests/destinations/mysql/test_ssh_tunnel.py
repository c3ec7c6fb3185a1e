"""A table of MariaDB behind an SSH server."""

from __future__ import annotations

from typing import ClassVar

import pytest

from reverse_etl_tests.destinations.mysql.server import ACCOUNT
from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.destinations.sql.tunnels import SqlTunnels
from reverse_etl_tests.servers.sshd import ssh_server

__all__ = ["ssh_server"]

pytestmark = pytest.mark.thorough


class TestTunnels(SqlTunnels):
    """As the suite says."""

    steps: ClassVar[list[str]] = ["log in", "server", "temporary tables"]

    def require_tls(self, server: SqlServer) -> None:
        """Of the user."""
        server.run(f"ALTER USER {ACCOUNT} REQUIRE SSL")
