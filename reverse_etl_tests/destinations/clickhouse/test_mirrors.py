"""What is known of ClickHouse's tables before it is done, and what is removed from them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest

from reverse_etl.destinations.table_powers import Effects
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.clickhouse.server import Clickhouse
from reverse_etl_tests.destinations.sql.mirrors import (
    SqlForesight,
    SqlMirrorRuns,
    SqlSoftDeletes,
    crm,
    gone_of,
    looked_at,
)
from reverse_etl_tests.destinations.sql.runs import ROWS, SYNC, stored
from reverse_etl_tests.destinations.sql.tables import delivered
from reverse_etl_tests.project import Project, fill

__all__ = ["crm"]

KEYED = "CREATE TABLE customers (at DateTime64(6), wall DateTime, day Date, name String, amount Decimal(9, 2))"


class TestForesight(SqlForesight):
    """As the suite says, but that the newest row of a key is the row, and keys are not empty."""

    grant_delete = "SELECT 1"
    types: ClassVar[dict[str, str]] = {}

    @pytest.mark.parametrize(
        ("write", "expected"),
        [
            ("add_and_update", Effects(inserts=3, updates=1, unchanged=1)),
            ("update_only", Effects(updates=1, unchanged=1, left_out=3)),
            ("add_only", Effects(inserts=3, left_out=2)),
            ("append", Effects(inserts=5)),
        ],
    )
    def test_what_is_told_is_what_happens(
        self, server: Clickhouse, tmp_path: Path, write: str, expected: Effects
    ) -> None:
        """Texts have no longest; rows are added to a table that replaces nothing."""
        server.engine = "MergeTree" if write == "append" else "ReplacingMergeTree"
        super().test_what_is_told_is_what_happens(server, tmp_path, write, expected)

    def test_ambiguous_rows_and_ignored_values_are_told_apart(self, server: Clickhouse, tmp_path: Path) -> None:
        """A key that is twice in the slice; NULL that keeps what is there, and for which there is nothing."""
        server.client.command("CREATE TABLE customers (id Int64, score Int32) ENGINE = ReplacingMergeTree ORDER BY id")
        server.run("INSERT INTO customers VALUES (2, 2)")
        rows = {"id": [1, 2, 3, 3, 4], "score": [5, None, 3, 4, None]}
        effects, _ = looked_at(server, tmp_path, rows, empty_values="ignore")
        assert Effects(inserts=2, unchanged=1, refused=2) == effects

    def test_rows_of_the_table_that_no_row_is_of(self, server: Clickhouse, tmp_path: Path) -> None:
        """In any number of batches, of any type; of none, all of them."""
        server.run("CREATE TABLE customers (id bigint, score int)")
        server.run("INSERT INTO customers VALUES (1, 1), (2, 2), (3, 3)")
        first = pa.RecordBatch.from_pydict({"id": [1], "score": [1]})
        second = pa.RecordBatch.from_pydict({"id": ["3"], "score": [7]})
        assert [{"id": "2"}] == gone_of(server, tmp_path / "1", [first, second])
        assert [{"id": "1"}, {"id": "2"}, {"id": "3"}] == gone_of(server, tmp_path / "2", [])

    def test_keys_of_any_type_come_back_as_they_are_deleted(self, server: Clickhouse, tmp_path: Path) -> None:
        """Several columns, dates, instants, quotes: what is found to be gone is deleted by what was found."""
        keys = ("at", "wall", "day", "name", "amount")
        server.client.command(f"{KEYED} ENGINE = ReplacingMergeTree ORDER BY ({', '.join(keys)})")
        at = dt.datetime(2024, 7, 1, 10, 0, 0, 500_000, tzinfo=dt.UTC)
        row = {"at": [at], "wall": [at], "day": [dt.date(2024, 2, 29)], "name": ["a"], "amount": ["1.50"]}
        for name in ("a", "o'brien"):
            delivered(server, tmp_path / name, row | {"name": [name]}, identify_by=keys)
        found = gone_of(server, tmp_path / "1", [pa.RecordBatch.from_pydict(row)], identify_by=keys)
        assert ["o'brien"] == [each["name"] for each in found]
        gone = {name: [each[name] for each in found] for name in keys} | {"deleted": [True]}
        delivery = delivered(server, tmp_path / "2", gone, identify_by=keys, gone="delete")
        assert ([1], {}) == (delivery.numbers(Outcome.DELIVERED), delivery.reasons())
        assert [("a",)] == server.fetch("SELECT name FROM customers")


class TestSoftDeletes(SqlSoftDeletes):
    """As the suite says."""

    instant = "DateTime"

    def test_a_time_that_cannot_be_empty_is_set_once_too(self, server: Clickhouse, tmp_path: Path) -> None:
        """1970 stands for none; a row without a key deletes nothing and is named."""
        server.client.command(
            "CREATE TABLE customers (id Int64, gone_at DateTime DEFAULT 0) ENGINE = ReplacingMergeTree ORDER BY id"
        )
        server.run("INSERT INTO customers VALUES (1, 0), (2, 86400), (3, 0)")
        rows = {"id": [1, 2, None], "deleted": [True, True, True]}
        delivery = delivered(server, tmp_path, rows, gone={"set": {"gone_at": "now"}})
        assert {3: ("missing_identifier", "id")} == delivery.reasons()
        assert [(1, True), (2, False), (3, False)] == [
            (id_, at.year > 2000) for id_, at in server.fetch("SELECT id, gone_at FROM customers ORDER BY id")
        ]
        assert [(86400,)] == server.fetch("SELECT toUnixTimestamp(gone_at) FROM customers WHERE id = 2")


@pytest.mark.thorough
class TestMirrorRuns(SqlMirrorRuns):
    """As the suite says, but for unique columns."""

    grant_delete = "SELECT 1"

    def test_a_table_that_is_mirrored_has_what_the_query_returns(  # type: ignore[override]
        self, crm: Project, server: Clickhouse
    ) -> None:
        """Rows of others go too, within the limits; a refused row stays; an empty result removes nothing."""
        text = SYNC.replace("identify_by: id}", "identify_by: id, gone: delete, gone_scope: table, gone_max_rows: 2}")
        crm.write("crm_customers.yaml", text)
        server.run("INSERT INTO customers VALUES (77, 'own@x', 'free'), (78, 'b@x', 'pro'), (5, 'e@x', 'old')")
        fill(crm.folder / "shop.db", [*ROWS, (5, "e@x", "bad")])
        code, report = crm.run("crm_customers")
        assert (7, 2, 3) == (code, report["gone_rows"]["delivered"], report["rows"]["delivered"]), report
        assert [1, 2, 3, 5] == [row[0] for row in stored(server)]
        fill(crm.folder / "shop.db", [])
        code, report = crm.run("crm_customers")
        assert (4, 4) == (code, len(stored(server))), report
