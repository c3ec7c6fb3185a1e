"""Tables whose triggers fill columns that need a value. Subclass it beside each suite; the fixture is ``server``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest

from reverse_etl.destinations.table_powers import Describes
from reverse_etl.errors import ConfigError
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.sql.tables import Delivery, Prepared, SqlServer, delivered


class SqlTriggers:
    """A trigger before each INSERT, that gives a plan to rows whose score is above 1.

    Attributes:
        fills: Makes it.
    """

    fills: ClassVar[str]

    def test_what_a_trigger_fills_may_be_left_out(self, server: SqlServer, tmp_path: Path) -> None:
        """Without the trigger it is needed; with it, a row that the trigger leaves empty is refused by the server."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, plan varchar(9) NOT NULL, score int)")
        with pytest.raises(ConfigError, match="needs a value for plan"):
            delivered(server, tmp_path / "0", {"id": [1], "score": [2]})
        server.run(self.fills)
        for number, write in enumerate(("add_and_update", "add_only", "append"), 1):
            rows = {"id": [10 * number, 10 * number + 1], "score": [1, 2]}
            delivery = delivered(server, tmp_path / write, rows, write=write)
            assert {1: ("null", "plan")} == delivery.reasons()
            assert [2] == delivery.numbers(Outcome.DELIVERED)
        stored = server.fetch("SELECT id, plan, score FROM customers ORDER BY id")
        assert [(11, "free", 2), (21, "free", 2), (31, "free", 2)] == stored
        delivery = delivered(server, tmp_path / "4", {"id": [11, 12], "score": [3, 4]})
        assert [1, 2] == delivery.numbers(Outcome.DELIVERED)
        assert [(11, 3), (12, 4)] == server.fetch("SELECT id, score FROM customers WHERE id < 20 ORDER BY id")

    def test_null_is_for_the_trigger_to_fill(self, server: SqlServer, tmp_path: Path) -> None:
        """Where the query has the column; and the table is shown so."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, plan varchar(9) NOT NULL, score int)")
        server.run(self.fills)
        shown: list[str] = []

        async def describe(table: Prepared) -> None:
            assert isinstance(table, Describes)
            shown.extend((await table.describe()).columns)  # type: ignore[union-attr]

        batch = pa.RecordBatch.from_pydict({"id": [1, 2, 3], "plan": [None, None, "pro"], "score": [1, 2, 0]})
        delivery = Delivery(server, tmp_path, [batch], {"table": "customers", "identify_by": "id"})
        delivery.deliver(around=describe)
        assert {1: ("null", "plan")} == delivery.reasons()
        assert [(2, "free"), (3, "pro")] == server.fetch("SELECT id, plan FROM customers ORDER BY id")
        assert shown[1].startswith("plan ")
        assert shown[1].endswith(" (needed, unless a trigger fills it)")
