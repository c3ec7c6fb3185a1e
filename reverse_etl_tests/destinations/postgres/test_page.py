"""What PostgreSQL's page shows can be used as it is."""

from __future__ import annotations

from reverse_etl_tests.destinations.sql.pages import SqlPage
from reverse_etl_tests.destinations.sql.steps import SqlSteps
from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.servers.postgres import DATABASE, USER


class TestPage(SqlPage):
    """``docs/destinations/postgres.md``."""

    page = "postgres.md"
    creates = "CREATE ROLE reverse_etl_writer LOGIN"

    def adapted(self, grant: str) -> str:
        """The tests' database has another name."""
        return grant.replace("reverse_etl_writer", USER).replace("DATABASE crm", f"DATABASE {DATABASE}")

    def revoke_everything(self, server: SqlServer) -> None:
        """What all users have included."""
        server.run(f"REVOKE ALL ON customers FROM {USER}; REVOKE ALL ON SCHEMA public FROM PUBLIC, {USER}")
        server.run(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")

    def restore(self, server: SqlServer) -> None:
        """Rights on the database, which other tests use."""
        server.run(f"REVOKE ALL ON DATABASE {DATABASE} FROM {USER}")
        server.run(f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO PUBLIC")


class TestSteps(SqlSteps):
    """``docs/destinations/tables.md``."""

    def grant_delete(self, server: SqlServer) -> None:
        """On the page's table."""
        server.run(f"GRANT DELETE ON customers TO {USER}")
