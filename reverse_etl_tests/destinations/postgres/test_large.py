"""A million rows into a table: all arrive, each bad one is named, and memory stays that of the first slices."""

from __future__ import annotations

import pytest

from reverse_etl_tests.benchmarks.tables import PostgresPlace, deliver_apart
from reverse_etl_tests.destinations.postgres.server import Postgres

pytestmark = pytest.mark.thorough

FEW, MANY = 300_000, 1_000_000
FLAT = 1.15


@pytest.mark.parametrize("kind", ["", "bad"])
def test_memory_is_flat(server: Postgres, kind: str) -> None:
    """Within 15 % of each other; 1 % of the rows bad, or none."""
    done = {}
    for rows in (FEW, MANY):
        place = PostgresPlace(server)
        place.empty()
        place.make(key="PRIMARY KEY")
        done[rows] = deliver_apart(server, rows, kind)
        bad = rows // 100 if kind else 0
        assert (rows - bad, bad) == (done[rows]["delivered"], sum(done[rows]["reasons"].values()))
        assert [(rows - bad + 1,)] == server.fetch("SELECT count(*) FROM customers")
    assert done[MANY]["peak_mb"] < FLAT * done[FEW]["peak_mb"], done
