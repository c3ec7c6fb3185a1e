"""PostgreSQL in trouble, and the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from reverse_etl.errors import DestinationUnavailableError
from reverse_etl_tests.destinations.postgres.server import Postgres
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.faults import SqlFaults
from reverse_etl_tests.destinations.sql.tables import SqlServer, delivered
from reverse_etl_tests.servers.postgres import USER, standby_of

ONCE = """
CREATE SEQUENCE calls; GRANT USAGE ON calls TO reader;
CREATE FUNCTION once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF nextval('calls') <= {times} THEN {what}; END IF; RETURN NULL; END $$;
CREATE TRIGGER once AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION once();
"""
TROUBLES = {
    "40001": "another transaction was in the way",
    "40P01": "a deadlock",
    "53100": "the server's disk is full",
    "53200": "memory",
    "57P03": "starting",
    "25006": "standby",
}
RUINS = {
    "DROP TABLE customers": "42P01",
    "ALTER TABLE customers DROP COLUMN score": "42703",
    f"REVOKE INSERT ON customers FROM {USER}": "42501",
}


class TestFaults(SqlFaults):
    """As the suite says."""

    troubles: ClassVar[Mapping[str, str]] = TROUBLES
    lasting = "53100"
    goodbye_bytes = 5
    ruins: ClassVar[Mapping[str, str]] = RUINS

    @pytest.fixture(params=[*TROUBLES])
    def trouble(self, request: pytest.FixtureRequest) -> str:
        """A SQLSTATE."""
        return str(request.param)

    @pytest.fixture(params=[*RUINS])
    def ruin(self, request: pytest.FixtureRequest) -> str:
        """A statement."""
        return str(request.param)

    def raise_first(self, server: SqlServer, times: int, trouble: str) -> None:
        """By a trigger."""
        server.run(ONCE.format(times=times, what=f"RAISE SQLSTATE '{trouble}'"))

    def end_first_sessions(self, server: SqlServer, times: int) -> None:
        """By a trigger."""
        server.run(ONCE.format(times=times, what="PERFORM pg_terminate_backend(pg_backend_pid())"))

    @contextmanager
    def other_writer(self, server: Postgres) -> Iterator[Callable[[str], Any]]:  # type: ignore[override]
        """The superuser."""
        with closing(server.running.session()) as other:
            other.execute("BEGIN")
            yield other.execute


@pytest.mark.thorough
def test_a_standby_is_not_written_to(server: Postgres, tmp_path: Path) -> None:
    """It says so, and which server to name."""
    server.run(TABLE)
    with standby_of(server.running) as standby:
        server.running.catch_up(standby)
        server.port = standby.port
        with pytest.raises(DestinationUnavailableError, match="standby"):
            delivered(server, tmp_path, PEOPLE)
