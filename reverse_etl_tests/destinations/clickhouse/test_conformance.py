"""ClickHouse is put through the suite for database destinations, with its engine.

What other engines have and this one does not: unique columns, references between tables, triggers, transactions and
locks of rows, texts of a limited number of characters, date-times without a zone, two rows of one key (the newest is
the row).
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.report import Counts, Outcome
from reverse_etl_tests.destinations.clickhouse.server import Clickhouse
from reverse_etl_tests.destinations.sql.conformance import FINE, INSTANT, SqlConformance
from reverse_etl_tests.destinations.sql.edges import SqlEdges
from reverse_etl_tests.destinations.sql.tables import Delivery, SqlServer, delivered

CHECKED = (
    "CREATE TABLE customers (id Int64, score Nullable(Int32), note String, CONSTRAINT check_0 CHECK score < 900) "
    "ENGINE = ReplacingMergeTree ORDER BY id"
)


class TestClickhouse(SqlConformance):
    """Over TLS."""

    grant_delete = "SELECT 1"
    revoke_all_but_insert = "SELECT 1"
    types: ClassVar[Mapping[str, str]] = {
        "varchar(40)": "varchar(40)",
        "text": "String",
        "double precision": "Float64",
        "timestamp": "DateTime64(6)",
        "timestamp with time zone": "DateTime64(6)",
        "json": "String",
    }
    test_a_row_that_another_table_needs_is_not_deleted = None
    test_a_unique_value_of_another_row_is_refused = None

    def test_a_key_that_several_rows_have_is_refused(self, server: SqlServer, tmp_path: Path) -> None:
        """It is not: the newest of them is the row, and is replaced."""
        server.run("CREATE TABLE customers (id bigint, score int, note varchar(40))")
        for score in (5, 7):
            server.run(f"INSERT INTO customers VALUES (1, {score}, 'note {score}')")
        delivery = delivered(server, tmp_path, {"id": [1], "score": [9]})
        assert [1] == delivery.numbers(Outcome.DELIVERED)
        assert [(1, 9, "note 7")] == server.fetch("SELECT * FROM customers")

    @pytest.mark.parametrize("key", [(), ("id",)])
    def test_append_adds_every_row_each_time(self, server: Clickhouse, tmp_path: Path, key: tuple[str, ...]) -> None:
        """In a table that replaces nothing."""
        server.engine = "MergeTree"
        super().test_append_adds_every_row_each_time(server, tmp_path, key)

    def test_append_names_each_bad_row(self, server: Clickhouse, tmp_path: Path) -> None:
        """By checks; a value of another type is not sent."""
        server.engine = "MergeTree"
        server.run("CREATE TABLE customers (at bigint, score int CHECK (score < 900), code FixedString(9))")
        scores = [900 if at % 7 == 0 else at for at in range(60)]
        rows = {"at": [*range(60)], "score": scores, "code": ["0123456789" if at == 1 else "x" for at in range(60)]}
        delivery = delivered(server, tmp_path, rows, write="append", identify_by=())
        bad = {at + 1: ("breaks_check", "score") for at in range(0, 60, 7)} | {2: ("too_long", "code")}
        assert bad == delivery.reasons()
        assert sorted({*range(60)} - {row - 1 for row in bad}) == sorted(
            at for (at,) in server.fetch("SELECT at FROM customers")
        )

    @pytest.mark.parametrize("key", [", PRIMARY KEY (tenant, id)"])
    def test_a_key_of_several_columns(self, server: SqlServer, tmp_path: Path, key: str) -> None:
        """The sorting key has all of them."""
        super().test_a_key_of_several_columns(server, tmp_path, key)

    def test_texts_at_their_longest(self, server: SqlServer, tmp_path: Path) -> None:
        """Bytes count, and there is a length in FixedString alone."""
        server.run("CREATE TABLE customers (id bigint, note FixedString(4))")
        delivery = delivered(server, tmp_path, {"id": [1, 2, 3], "note": ["éé", "ééx", "abcd "]})
        assert {2: ("too_long", "note"), 3: ("too_long", "note")} == delivery.reasons()
        assert [("éé",)] == server.fetch("SELECT toString(note) FROM customers")

    def test_dates_and_times(self, server: SqlServer, tmp_path: Path) -> None:
        """Every date-time is an instant, whatever zone a column shows it in; a clock is none."""
        server.run("CREATE TABLE customers (id bigint, d Date32, i DateTime64(6), w DateTime('Europe/Berlin'))")
        days = [dt.date(1900, 1, 1), dt.date(2299, 12, 31), None]
        times = [dt.datetime(2039, 7, 1, 12, 0, 0, 123_456, tzinfo=dt.UTC), dt.datetime(2024, 3, 31, 1, 30), None]  # noqa: DTZ001
        instants = [times[0], dt.datetime(2024, 3, 31, 1, 30, tzinfo=dt.UTC), None]
        batch = pa.RecordBatch.from_pydict(
            {"id": [1, 2, 3], "d": days, "i": pa.array(instants, INSTANT), "w": pa.array(instants, INSTANT)}
        )
        delivered(server, tmp_path, batch, settings={"timezone": "Europe/Berlin"})
        seconds = [None if at is None else int(at.timestamp()) for at in instants]
        assert list(zip(days, instants, seconds, strict=True)) == server.fetch(
            "SELECT d, i, toUnixTimestamp(w) FROM customers ORDER BY id"
        )

    @settings(max_examples=5, deadline=None, suppress_health_check=FINE, database=None)
    @given(
        bad=st.dictionaries(st.integers(1, 30), st.sampled_from(["check", "null check", "null"])),
        rows_per_transaction=st.sampled_from([7, 100]),
        there=st.integers(0, 30),
    )
    def test_exactly_the_bad_rows_are_refused(
        self, server: SqlServer, bad: dict[int, str], rows_per_transaction: int, there: int
    ) -> None:
        """Any subset, for any reason, of new rows and of those that are there: the others are written."""
        server.run(f"DROP TABLE IF EXISTS customers; {CHECKED}")
        server.run("; ".join(f"INSERT INTO customers VALUES ({n}, 0, 'old')" for n in range(1, there + 1)))
        rows = [{"id": n, "score": n, "note": "x"} for n in range(1, 31)]
        wrong = {"check": {"score": 1000}, "null check": {"score": None}, "null": {"note": None}}
        for number, why in bad.items():
            rows[number - 1] |= wrong[why]
        expected = {"check": ("breaks_check", "score"), "null": ("null", "note")}
        with tempfile.TemporaryDirectory() as folder:
            section = {"table": "customers", "identify_by": "id"}
            entry = {"rows_per_transaction": rows_per_transaction}
            delivery = Delivery(server, Path(folder), [pa.RecordBatch.from_pylist(rows)], section, entry)
            counts = delivery.deliver().counts
            # A check that is NULL does not hold, here.
            assert {n: expected[why.removeprefix("null ")] for n, why in bad.items()} == delivery.reasons()
            nulls = sum(why == "null" for why in bad.values())
            assert Counts(30, delivered=30 - len(bad), rejected=nulls, refused=len(bad) - nulls) == counts
            stored = [n for (n,) in server.fetch("SELECT id FROM customers WHERE note = 'x' ORDER BY id")]
            assert [n for n in range(1, 31) if n not in bad] == stored == delivery.numbers(Outcome.DELIVERED)

    def test_no_message_holds_a_rows_value(self, server: SqlServer, tmp_path: Path) -> None:
        """Checks and columns are named, values never."""
        server.run(CHECKED)
        rows = {"id": [1, 2, 3], "score": [424242, 1, 3], "note": ["planted secret", None, "fine"]}
        delivery = delivered(server, tmp_path, rows)
        messages = " ".join(row.why.message for row in delivery.failed())
        assert (2, True) == (len(delivery.failed()), "check_0" in messages)
        assert not [value for value in ("424242", "planted") if value in messages]

    def count_writes(self, server: SqlServer) -> None:
        """By a view that has a row for each one that is inserted."""
        view = "CREATE MATERIALIZED VIEW writes ENGINE = MergeTree ORDER BY tuple()"
        server.run(f"{view} AS SELECT 1 AS one FROM customers")

    def writes(self, server: SqlServer) -> int:
        """What it has."""
        ((count,),) = server.fetch("SELECT count(*) FROM writes")
        return int(count)

    def quoted(self, name: str) -> str:
        """In backticks."""
        return "`" + name.replace("`", "``") + "`"


class TestEdges(SqlEdges):
    """Likewise."""

    refuses = 1
    has_unique = False
    double = "Float64"
    holds_infinity = True
    holds_nul = True
    quote = "`"
    without_tls = b"HTTP/1.0 400 Bad Request\r\n\r\n"
    grant_delete = "SELECT 1"
    # There is none of them in other engines: Date32 is from 1900 to 2299 (``test_values``).
    test_dates_from_the_first_year_to_the_last = None

    def make_named(self, server: Clickhouse, table: str, columns: tuple[str, str, str]) -> None:  # type: ignore[override]
        """Nothing is unique."""
        key, data, unique = map(self._quoted, columns)
        server.client.command(
            f"CREATE TABLE {self._quoted(table)} ({key} Int64, {data} Nullable(Int32), {unique} Nullable(Int32), "
            f"CONSTRAINT few CHECK {data} < 900) ENGINE = ReplacingMergeTree ORDER BY {key}"
        )

    def _quoted(self, name: str) -> str:
        """A backslash is a backslash by another one."""
        return super()._quoted(name.replace("\\", "\\\\"))
