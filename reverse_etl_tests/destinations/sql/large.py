"""Many rows into a table: all arrive, each bad one is named, and memory stays that of the first slices."""

from __future__ import annotations

from typing import ClassVar

from reverse_etl_tests.benchmarks.table_places import Place
from reverse_etl_tests.benchmarks.tables import deliver_apart

FLAT = 1.15


class SqlLarge:
    """Subclass it beside each suite, with the fixture ``place``.

    Attributes:
        sizes: Few rows, and many.
    """

    sizes: ClassVar[tuple[int, int]]

    def test_memory_is_flat(self, place: Place) -> None:
        """Within 15 % of each other; 1 % of the rows are bad."""
        done = {}
        few, many = self.sizes
        for rows in (few, many):
            place.empty()
            place.make("constrained")
            done[rows] = deliver_apart(place.server, rows, place.bad)
            bad = rows // 100
            assert (rows - bad, bad) == (done[rows]["delivered"], sum(done[rows]["reasons"].values()))
            assert [(rows - bad + 1,)] == place.server.fetch("SELECT count(*) FROM customers")
        assert done[many]["peak_mb"] < FLAT * done[few]["peak_mb"], done
