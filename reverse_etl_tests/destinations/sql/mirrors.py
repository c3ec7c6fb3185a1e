"""What a run would do to a table, told before it does it; and rows of a table that a query does not return.

Subclass it beside each suite, and give the server as the fixture ``server``.
"""

from __future__ import annotations

import datetime as dt
import json
from abc import ABC
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from reverse_etl.delivery.foresight import foresee
from reverse_etl.destinations.table_powers import Effects, Mirrors
from reverse_etl.errors import ConfigError
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.sql.runs import ROWS, SYNC, crm, stored
from reverse_etl_tests.destinations.sql.tables import Delivery, Prepared, SqlServer, delivered
from reverse_etl_tests.project import Project, fill

__all__ = ["crm"]

TABLE = "CREATE TABLE customers (id bigint PRIMARY KEY, score int, note varchar(40))"


def looked_at(server: SqlServer, folder: Path, columns: dict[str, Any], **rows: Any) -> tuple[Effects, Delivery]:
    """What writing rows would do, by a destination that is not told to write; and the same rows, not delivered yet."""
    settings = rows.pop("settings", {})
    section = {"table": "customers", "identify_by": "id"} | rows
    delivery = Delivery(server, folder, [pa.RecordBatch.from_pydict(columns)], section, settings)
    found = []

    async def look(destination: Prepared) -> None:
        patience = Patience(RetryPolicy(), name="destination crm", clock=delivery.time.clock())
        found.append(await foresee(destination, delivery.parts, delivery.outcomes, patience=patience))
        delivery.outcomes[:] = Outcome.EXCLUDED

    delivery.deliver(around=look)
    delivery.outcomes[:] = Outcome.UNDELIVERED
    return found[0], delivery


def gone_of(server: SqlServer, folder: Path, batches: list[pa.RecordBatch], **rows: Any) -> list[dict[str, str]]:
    """The keys of the table's rows that none of some rows has, sorted."""
    section = {"table": "customers", "identify_by": "id", "gone": "delete", "gone_scope": "table"} | rows
    empty = pa.RecordBatch.from_pydict({"id": pa.array([], pa.int64()), "score": pa.array([], pa.int64())})
    delivery = Delivery(server, folder, batches or [empty], section)
    found: list[dict[str, str]] = []

    async def look(destination: Prepared) -> None:
        assert isinstance(destination, Mirrors)
        keys = await destination.not_among(delivery.parts.batches())
        assert isinstance(keys, list)
        found.extend(row for batch in keys for row in batch.to_pylist())
        delivery.outcomes[:] = Outcome.EXCLUDED

    delivery.deliver(around=look)
    return sorted(found, key=lambda row: [*row.values()])


class SqlForesight(ABC):
    """Of each way of writing."""

    grant_delete: ClassVar[str]

    @pytest.mark.parametrize(
        ("write", "expected"),
        [
            ("add_and_update", Effects(inserts=2, updates=1, unchanged=1, refused=1)),
            ("update_only", Effects(updates=1, unchanged=1, left_out=2, refused=1)),
            ("add_only", Effects(inserts=2, left_out=2, refused=1)),
            ("append", Effects(inserts=4, refused=1)),
        ],
    )
    def test_what_is_told_is_what_happens(
        self, server: SqlServer, tmp_path: Path, write: str, expected: Effects
    ) -> None:
        """Nothing is written by telling; afterwards, all is there as it is."""
        server.run("CREATE TABLE customers (id bigint, score int, note varchar(40))")
        server.run("INSERT INTO customers VALUES (1, 1, 'a'), (2, 2, 'b'), (9, 9, 'theirs')")
        before = server.fetch("SELECT * FROM customers ORDER BY id")
        rows = {"id": [1, 2, 3, 4, 5], "score": [1, 20, 3, 4, 5], "note": ["a", "b", "c", "d", "x" * 41]}
        effects, delivery = looked_at(server, tmp_path / "1", rows, write=write)
        assert (expected, {"too_long (note)": 1} if expected.refused else {}) == (effects, effects.refused_by)
        assert before == server.fetch("SELECT * FROM customers ORDER BY id")
        delivery.deliver()
        counts = (Outcome.DELIVERED, expected.inserts + expected.updates + expected.unchanged)
        assert counts[1] == len(delivery.numbers(counts[0]))
        assert expected.left_out == len(delivery.numbers(Outcome.EXCLUDED))
        if write != "append":
            again, _ = looked_at(server, tmp_path / "2", rows, write=write)
            assert (0, 0, expected.refused) == (again.inserts, again.updates, again.refused)

    def test_ambiguous_rows_and_ignored_values_are_told_apart(self, server: SqlServer, tmp_path: Path) -> None:
        """A key that several rows have, one that is twice in the slice; NULL that keeps what is there."""
        server.run("CREATE TABLE customers (id bigint, score int)")
        server.run("INSERT INTO customers VALUES (1, 1), (1, 1), (2, 2)")
        rows = {"id": [1, 2, 3, 3], "score": [5, None, 3, 4]}
        effects, _ = looked_at(server, tmp_path, rows, empty_values="ignore")
        assert Effects(inserts=1, unchanged=1, refused=2) == effects
        assert {"matches_several_rows (id)": 1, "duplicate_key (id)": 1} == effects.refused_by

    def test_rows_that_are_marked_as_gone_are_told(self, server: SqlServer, tmp_path: Path) -> None:
        """Those that the table has, and those that it has not."""
        server.run(f"{TABLE}; {self.grant_delete}")
        server.run("INSERT INTO customers VALUES (1, 1, 'a'), (2, 2, 'b')")
        rows = {"id": [1, 2, 3], "score": [1, 2, 3], "deleted": [True, False, True]}
        effects, _ = looked_at(server, tmp_path, rows, gone="delete", settings={"rows_per_transaction": 2})
        assert Effects(unchanged=1, deletes=1, already_gone=1) == effects

    def test_rows_of_the_table_that_no_row_is_of(self, server: SqlServer, tmp_path: Path) -> None:
        """In any number of batches, of any type; of none, all of them. A row without a key is left alone."""
        server.run("CREATE TABLE customers (id bigint, score int)")
        server.run(self.grant_delete)
        server.run("INSERT INTO customers VALUES (1, 1), (2, 2), (3, 3), (NULL, 4)")
        first = pa.RecordBatch.from_pydict({"id": [1], "score": [1]})
        second = pa.RecordBatch.from_pydict({"id": ["3"], "score": [7]})
        assert [{"id": "2"}] == gone_of(server, tmp_path / "1", [first, second])
        assert [{"id": "1"}, {"id": "2"}, {"id": "3"}] == gone_of(server, tmp_path / "2", [])

    def test_keys_of_any_type_come_back_as_they_are_deleted(self, server: SqlServer, tmp_path: Path) -> None:
        """Several columns, dates, clocks, instants, quotes: what is found to be gone is deleted by what was found."""
        instant = self.types["timestamp with time zone"]
        wall = self.types["timestamp"]
        server.run(
            f"CREATE TABLE customers (at {instant}, wall {wall}, day date, name varchar(20), amount numeric(9,2))"
        )
        server.run(self.grant_delete)
        for name in ("a", "o''brien"):
            server.run(
                "INSERT INTO customers VALUES ('2024-07-01 10:00:00', '2024-07-01 10:00:00.5', '2024-02-29', "
                f"'{name}', 1.50)"
            )
        keys = ("at", "wall", "day", "name", "amount")
        row = {
            "at": [dt.datetime(2024, 7, 1, 10, tzinfo=dt.UTC)],
            "wall": [dt.datetime(2024, 7, 1, 10, 0, 0, 500_000, tzinfo=dt.UTC)],
            "day": [dt.date(2024, 2, 29)],
            "name": ["a"],
            "amount": ["1.50"],
        }
        batch = pa.RecordBatch.from_pydict(row)
        found = gone_of(server, tmp_path / "1", [batch], identify_by=keys)
        assert ["o'brien"] == [each["name"] for each in found]
        gone = {name: [each[name] for each in found] for name in keys} | {"deleted": [True]}
        delivery = delivered(server, tmp_path / "2", gone, identify_by=keys, gone="delete")
        assert ([1], {}) == (delivery.numbers(Outcome.DELIVERED), delivery.reasons())
        assert [("a",)] == server.fetch("SELECT name FROM customers")

    types: ClassVar[dict[str, str]]


class SqlSoftDeletes(ABC):
    """Rows that are marked, not deleted; the user needs no right to delete."""

    instant: ClassVar[str]

    def test_columns_are_set_in_rows_that_are_gone(self, server: SqlServer, tmp_path: Path) -> None:
        """A time and a word, once: a second time nothing is written; what the query returns again is cleared by it."""
        server.run(
            "CREATE TABLE customers (id bigint PRIMARY KEY, score int, "
            f"deleted_at {self.instant} NULL, state varchar(9))"
        )
        server.run("INSERT INTO customers (id, score, state) VALUES (1, 1, 'here'), (2, 2, 'here'), (3, 3, NULL)")
        gone = {"set": {"deleted_at": "now", "state": "gone"}}
        rows = {"id": [1, 2, 3, 4], "score": [1, 2, 3, 4], "deleted": [True, False, True, True]}
        effects, delivery = looked_at(server, tmp_path / "1", rows, gone=gone)
        assert Effects(unchanged=1, deletes=2, already_gone=1) == effects
        delivery.deliver()
        assert ([1, 2, 3, 4], {}) == (delivery.numbers(Outcome.DELIVERED), delivery.reasons())
        marked = server.fetch("SELECT id, deleted_at, state FROM customers ORDER BY id")
        assert [(1, "gone"), (2, "here"), (3, "gone")] == [(row[0], row[2]) for row in marked]
        assert [True, False, True] == [row[1] is not None for row in marked]
        again, delivery = looked_at(server, tmp_path / "2", rows, gone=gone)
        assert Effects(unchanged=1, already_gone=3) == again
        delivery.deliver()
        assert marked == server.fetch("SELECT id, deleted_at, state FROM customers ORDER BY id")
        back = {"id": [1], "score": [1], "deleted_at": pa.nulls(1), "state": ["here"], "deleted": [False]}
        delivered(server, tmp_path / "3", back, gone=gone)
        assert [(None, "here")] == server.fetch("SELECT deleted_at, state FROM customers WHERE id = 1")

    def test_rows_that_are_marked_already_are_not_gone_again(self, server: SqlServer, tmp_path: Path) -> None:
        """Of the whole table: only the others are."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, score int, is_deleted boolean)")
        server.run("INSERT INTO customers VALUES (1, 1, true), (2, 2, false), (3, 3, NULL), (4, 4, NULL)")
        batch = pa.RecordBatch.from_pydict({"id": [4], "score": [4]})
        gone = {"set": {"is_deleted": True}}
        assert [{"id": "2"}, {"id": "3"}] == gone_of(server, tmp_path, [batch], gone=gone)

    @pytest.mark.parametrize(
        ("column", "value", "words"),
        [
            ("deleted_on", "now", "no column deleted_on, which `gone` sets. Did you mean `deleted_at`?"),
            ("score", "now", "column score .* does not take what `gone` sets"),
            ("score", "high", "column score .* does not take what `gone` sets"),
            ("id", 1, "column id, which `gone` sets, identifies rows"),
        ],
    )
    def test_what_cannot_be_set_is_found_before_the_first_row(
        self, server: SqlServer, tmp_path: Path, column: str, value: object, words: str
    ) -> None:
        """With the column's name."""
        server.run(f"CREATE TABLE customers (id bigint PRIMARY KEY, score int, deleted_at {self.instant} NULL)")
        with pytest.raises(ConfigError, match=f"(?i){words}"):
            delivered(server, tmp_path, {"id": [1], "score": [1]}, gone={"set": {column: value}})
        assert [] == server.fetch("SELECT * FROM customers")


class SqlMirrorRuns(ABC):
    """Limits, plans and mirrors as a user runs them."""

    grant_delete: ClassVar[str]

    def test_limits_stop_a_run_before_anything_is_written(self, crm: Project, server: SqlServer) -> None:
        """With the numbers, and how to let it pass once; the plan has the same."""
        server.run("INSERT INTO customers VALUES (1, 'a@x', 'free'), (2, 'old@x', 'pro')")
        before = stored(server)
        for limit, option, words in (
            ("adds_max: 0", "--adds-max", "1 row would be added to table customers, more than `adds_max: 0`"),
            (
                "updates_max: 0",
                "--updates-max",
                "1 row would be changed in table customers, more than `updates_max: 0`",
            ),
        ):
            crm.write("crm_customers.yaml", SYNC.replace("identify_by: id}", f"identify_by: id, {limit}}}"))
            planned = crm.reverse_etl("plan", "crm_customers", "--json")
            made = json.loads(planned.stdout)
            assert (4, True) == (planned.returncode, made["stopped"].startswith(f"{words}. ")), made
            table = made["streams"]["rows"]["in_table"]
            assert (1, 1, 1) == (table["inserts"], table["updates"], table["unchanged"]), table
            code, report = crm.run("crm_customers")
            assert (4, True) == (code, f"{words}: nothing was sent" in report["message"]), report
            assert f"{option} 1" in report["message"]
            assert before == stored(server)
        code, report = crm.run("crm_customers", "--updates-max", "1")
        assert (0, 3) == (code, report["rows"]["delivered"]), report
        assert ROWS == stored(server)
        done = crm.reverse_etl("plan", "crm_customers", "--exit-code")
        assert (0, True) == (done.returncode, "there already, as they are" in done.stdout), done.stdout

    def test_a_table_that_is_mirrored_has_what_the_query_returns(self, crm: Project, server: SqlServer) -> None:
        """Rows of others go too, within the limits; a rejected row stays; an empty result removes nothing."""
        server.run(self.grant_delete)
        for sync, words in (
            (f"{SYNC}changes: {{by: compare}}\n", "goes with `gone_scope: own`"),
            (f"{SYNC.rstrip()} WHERE updated_at >= {{{{last_sync_time}}}}\n", "leave {{last_sync_time}} out"),
            (f"{SYNC.rstrip()} LIMIT 5\n", "LIMIT decides"),
        ):
            crm.write("crm_customers.yaml", sync.replace("by: id}", "by: id, gone: delete, gone_scope: table}"))
            refused = crm.reverse_etl("validate")
            assert (2, True) == (refused.returncode, words in " ".join((refused.stdout + refused.stderr).split()))
        text = SYNC.replace("identify_by: id}", "identify_by: id, gone: delete, gone_scope: table, gone_max_rows: 2}")
        crm.write("crm_customers.yaml", text)
        server.run("INSERT INTO customers VALUES (77, 'own@x', 'free'), (78, 'b@x', 'pro'), (5, 'e@x', 'old')")
        fill(crm.folder / "shop.db", [*ROWS, (5, "e@x", "bad")])
        planned = json.loads(crm.reverse_etl("plan", "crm_customers", "--json", "--values").stdout)
        rows = planned["streams"]["rows"]
        assert (2, 2, ["77", "78"]) == (rows["gone"], rows["to_remove"], sorted(rows["first_gone"])), rows
        code, report = crm.run("crm_customers")
        # 78 has the address of 2 until it is removed, which is last.
        assert (7, 2, 2) == (code, report["gone_rows"]["delivered"], report["rows"]["delivered"]), report
        assert [1, 3, 5] == [row[0] for row in stored(server)]
        fill(crm.folder / "shop.db", ROWS)
        code, report = crm.run("crm_customers")
        assert (0, [1, 2, 3]) == (code, [row[0] for row in stored(server)]), report
        fill(crm.folder / "shop.db", [])
        code, report = crm.run("crm_customers")
        words = "the query returned no row, so 3 of 3 rows of the table are gone"
        assert (4, True) == (code, words in report["message"]), report
        assert 3 == len(stored(server))
        code, report = crm.run("crm_customers", "--gone-max", "3")
        assert (0, []) == (code, stored(server)), report

    @pytest.mark.thorough
    def test_a_reading_that_is_not_whole_removes_nothing(self, crm: Project, server: SqlServer) -> None:
        """A few rows, named rows; a row without a key."""
        server.run(self.grant_delete)
        text = SYNC.replace("identify_by: id}", "identify_by: id, gone: delete, gone_scope: table}")
        crm.write("crm_customers.yaml", text)
        server.run("INSERT INTO customers VALUES (77, 'own@x', 'free')")
        for options in (["--limit", "1"], ["--only", "2"]):
            code, report = crm.run("crm_customers", *options)
            assert (0, True) == (code, 77 in [row[0] for row in stored(server)]), report
        fill(crm.folder / "shop.db", [*ROWS, (None, "n@x", "free")])
        code, report = crm.run("crm_customers")
        assert (7, True) == (code, "no identifier, so it is not known what is gone" in report["message"]), report
        assert [1, 2, 3, 77] == [row[0] for row in stored(server)]
