"""PostgreSQL in trouble, and the way to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from reverse_etl.errors import DestinationUnavailableError
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.postgres.faulty import FaultyPostgres
from reverse_etl_tests.destinations.postgres.server import Postgres
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.faults import Back, SqlFaults, Waits, through
from reverse_etl_tests.destinations.sql.tables import delivered
from reverse_etl_tests.servers.cut import SERVER, Moment, cut
from reverse_etl_tests.servers.postgres import USER, standby_of
from reverse_etl_tests.servers.sandbox import wait_until

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


@pytest.mark.thorough
def test_a_standby_that_lags_is_not_asked_what_became_of_a_commit(server: Postgres, tmp_path: Path) -> None:
    """It does not know; the rows are there once, though they are appended."""
    server.run("CREATE TABLE customers (id bigint, score int)")
    with standby_of(server.running) as standby, cut(server.port) as relay:
        server.running.catch_up(standby)

        def fail_over() -> None:
            relay.upstream = standby.port

        def fail_back() -> None:
            relay.upstream = server.port

        with standby.admin() as admin:
            admin.execute("SELECT pg_wal_replay_pause()")
        relay.moments = [Moment(0, SERVER, FaultyPostgres.commit, 2, act=fail_over)]
        delivery = through(relay, server, tmp_path, Back(fail_back), write="append")
        assert 6 == delivery.deliver().counts.delivered
    assert [(6, 6)] == server.fetch("SELECT count(*), count(DISTINCT id) FROM customers")


@pytest.mark.thorough
@pytest.mark.parametrize("had", [True, False])
def test_a_standby_that_took_over_gets_what_it_did_not_have(server: Postgres, tmp_path: Path, *, had: bool) -> None:
    """Though another transaction has the number of the one that was lost by then."""
    server.run("CREATE TABLE customers (id bigint PRIMARY KEY, score int); CREATE TABLE others (n int)")
    with standby_of(server.running) as standby, cut(server.port) as relay:
        server.running.catch_up(standby)

        def take_over() -> None:
            if had:
                server.running.catch_up(standby)
            with standby.admin() as admin:
                admin.execute("SELECT pg_promote()")
                for _ in range(20):
                    admin.execute("INSERT INTO others VALUES (1)")
            relay.upstream = standby.port

        def part() -> None:
            if had or relay.reached:
                return
            server.running.catch_up(standby)
            with standby.admin() as admin:
                admin.execute("ALTER SYSTEM SET primary_conninfo = ''")
                admin.execute("SELECT pg_reload_conf()")
                wait_until(lambda: admin.execute("SELECT count(*) FROM pg_stat_wal_receiver").fetchone() == (0,))

        relay.moments = [Moment(0, SERVER, FaultyPostgres.commit, 2, act=take_over)]
        delivery = through(relay, server, tmp_path, Waits(), identify_by="id")
        delivery.deliver(progress=lambda *_: part())
        assert [1, 2, 3, 4, 5, 6] == delivery.numbers(Outcome.DELIVERED)
        with standby.admin() as admin:
            assert (6, 6) == admin.execute("SELECT count(*), count(DISTINCT id) FROM customers").fetchone()
