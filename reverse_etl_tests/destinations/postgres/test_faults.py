"""PostgreSQL in trouble, and the way to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from reverse_etl.errors import DestinationUnavailableError
from reverse_etl_tests.destinations.postgres.faulty import FaultyPostgres
from reverse_etl_tests.destinations.postgres.server import Postgres
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.faults import SqlFaults
from reverse_etl_tests.destinations.sql.tables import delivered
from reverse_etl_tests.servers.postgres import USER, standby_of

RUINS = {
    "DROP TABLE customers": "42P01",
    "ALTER TABLE customers DROP COLUMN score": "42703",
    f"REVOKE INSERT ON customers FROM {USER}": "42501",
}


class TestFaults(SqlFaults):
    """As the suite says."""

    goodbye_bytes = 5
    ruins: ClassVar[Mapping[str, str]] = RUINS

    @pytest.fixture
    def server(self, server: Postgres) -> FaultyPostgres:
        """In trouble on purpose."""
        return FaultyPostgres(server.running, server.port)

    @pytest.fixture(params=[*FaultyPostgres.troubles])
    def trouble(self, request: pytest.FixtureRequest) -> str:
        """An error's code."""
        return str(request.param)

    @pytest.fixture(params=[*RUINS])
    def ruin(self, request: pytest.FixtureRequest) -> str:
        """A statement."""
        return str(request.param)


@pytest.mark.thorough
def test_a_standby_is_not_written_to(server: Postgres, tmp_path: Path) -> None:
    """It says so, and which server to name."""
    server.run(TABLE)
    with standby_of(server.running) as standby:
        server.running.catch_up(standby)
        server.port = standby.port
        with pytest.raises(DestinationUnavailableError, match="standby"):
            delivered(server, tmp_path, PEOPLE)
