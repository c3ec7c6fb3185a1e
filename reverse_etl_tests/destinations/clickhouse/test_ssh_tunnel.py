"""A table of ClickHouse behind an SSH server."""

from __future__ import annotations

from typing import ClassVar

import pytest

from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.destinations.sql.tunnels import SqlTunnels
from reverse_etl_tests.servers.sshd import ssh_server

__all__ = ["ssh_server"]

pytestmark = pytest.mark.thorough


class TestTunnels(SqlTunnels):
    """As the suite says."""

    steps: ClassVar[list[str]] = ["log in", "server", "writes"]

    def require_tls(self, server: SqlServer) -> None:
        """The port takes nothing else."""
