"""The tests' own MariaDB."""

from __future__ import annotations

import pytest

from reverse_etl_tests.servers.mariadb import MariadbServer, mariadb, mariadb_server

__all__ = ["mariadb"]


@pytest.mark.thorough
def test_its_temporary_tables_are_out_of_other_servers_reach(mariadb: MariadbServer) -> None:
    """A server that starts deletes those in its folder, whose ever they are."""
    with mariadb.admin() as admin:
        admin.execute("SELECT @@tmpdir")
        assert [(str(mariadb.folder),)] == list(admin.fetchall())


def test_an_installation_that_fails_shows_why() -> None:
    """With what the program writes to its standard error."""
    with pytest.raises(RuntimeError, match="--no-defaults"), mariadb_server(("ls", "mariadbd")):
        pass
