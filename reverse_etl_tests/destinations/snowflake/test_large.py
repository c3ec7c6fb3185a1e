"""Many rows into a table of Snowflake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from reverse_etl_tests.benchmarks.snowflake_table import TABLE
from reverse_etl_tests.benchmarks.table_places import Place
from reverse_etl_tests.destinations.snowflake.server import Snowflake
from reverse_etl_tests.destinations.sql.large import SqlLarge

pytestmark = pytest.mark.thorough


@dataclass(slots=True)
class SnowflakePlace(Place):
    """The tests' server, of which nothing is measured: what is, is this side."""

    server: Snowflake
    bad: ClassVar[str] = "bad check"

    def empty(self) -> None:
        """As above."""
        self.server.empty()

    def make(self, table: str) -> None:  # noqa: ARG002 - it has one
        """As above; a score of seven digits does not fit, for there are no checks."""
        self.server.run(TABLE.replace("score int", "score number(6,0)"))
        self.server.run("INSERT INTO customers (id, note) VALUES (-1, '')")

    def cpu_s(self) -> float:
        """As above."""
        raise NotImplementedError


class TestLarge(SqlLarge):
    """As the suite says."""

    sizes = (75_000, 150_000)

    @pytest.fixture
    def place(self, server: Snowflake) -> SnowflakePlace:
        """The tests' server."""
        return SnowflakePlace(server)
