"""A table of PostgreSQL behind an SSH server."""

from __future__ import annotations

from typing import ClassVar

import pytest

from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.destinations.sql.tunnels import SqlTunnels
from reverse_etl_tests.servers.sshd import ssh_server

__all__ = ["ssh_server"]

pytestmark = pytest.mark.thorough

LOOKS = """
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF NOT (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) THEN RAISE SQLSTATE '28000'; END IF; RETURN NULL;
END $$;
CREATE TRIGGER look AFTER INSERT ON customers FOR EACH STATEMENT EXECUTE FUNCTION look()
"""


class TestTunnels(SqlTunnels):
    """As the suite says."""

    steps: ClassVar[list[str]] = ["log in", "server", "schema", "temporary tables"]

    def require_tls(self, server: SqlServer) -> None:
        """By a trigger."""
        server.run(LOOKS)
