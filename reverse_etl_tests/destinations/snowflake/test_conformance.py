"""Snowflake is put through the suite for database destinations, with its counterpart.

What other engines have and this one does not: unique and primary keys, checks, references and triggers that refuse
rows. Those cases are replaced by what Snowflake does. Unquoted names are stored in upper case.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.config.environment import EnvText
from reverse_etl.errors import ConfigError
from reverse_etl.report import Counts, Outcome
from reverse_etl_tests.destinations.snowflake.server import ROLE, Account, Snowflake
from reverse_etl_tests.destinations.sql.conformance import FINE, PEOPLE, TABLE, SqlConformance
from reverse_etl_tests.destinations.sql.edges import SqlEdges
from reverse_etl_tests.destinations.sql.tables import Delivery, SqlServer, delivered

BAD: dict[str, tuple[str, Any, str]] = {
    "null": ("note", None, "null"),
    "long": ("note", "x" * 41, "too_long"),
    "range": ("score", 1_000, "out_of_range"),
    "day": ("day", "2023-02-29", "wrong_value"),
    "document": ("doc", '{"a": ', "wrong_value"),
}
"""By kind: column, value, reason."""


@pytest.mark.thorough
class TestSnowflake(SqlConformance):
    """As a user who may do no more than write. What each run of the tests looks at is in ``test_table``."""

    grant_delete = f"GRANT DELETE ON TABLE CRM.PUBLIC.CUSTOMERS TO ROLE {ROLE}"
    revoke_all_but_insert = f"REVOKE SELECT, UPDATE ON ALL TABLES IN SCHEMA CRM.PUBLIC FROM ROLE {ROLE}"
    types: ClassVar[Mapping[str, str]] = {
        "varchar(40)": "varchar(40)",
        "text": "varchar",
        "double precision": "float",
        "timestamp": "timestamp_ntz",
        "timestamp with time zone": "timestamp_ltz",
        "json": "variant",
    }

    def test_append_names_each_bad_row(self, server: SqlServer, tmp_path: Path) -> None:
        """What does not fit is not sent; the rest is added, once."""
        server.run("CREATE TABLE customers (n bigint, email varchar(9))")
        texts = ["0123456789" if n % 7 == 0 else None for n in range(60)]
        rows = {"n": [*range(60)], "email": texts}
        delivery = delivered(server, tmp_path, rows, write="append", identify_by=())
        assert {n + 1: ("too_long", "email") for n in range(0, 60, 7)} == delivery.reasons()
        assert [n for n in range(60) if n % 7] == [n for (n,) in server.fetch("SELECT n FROM customers ORDER BY n")]

    def test_a_row_that_another_table_needs_is_not_deleted(self, server: SqlServer, tmp_path: Path) -> None:
        """References are stored and not looked at: it is deleted."""
        server.run(f"{TABLE}; INSERT INTO customers VALUES (1, 'a', 1, ''), (2, 'b', 2, '')")
        server.run("CREATE TABLE orders (customer bigint, FOREIGN KEY (customer) REFERENCES customers (id))")
        server.run(f"INSERT INTO orders VALUES (2); {self.grant_delete}")
        delivery = delivered(server, tmp_path, {"id": [1, 2], "deleted": [True] * 2}, gone="delete")
        assert ([1, 2], []) == (delivery.numbers(Outcome.DELIVERED), server.fetch("SELECT id FROM customers"))

    def test_a_key_of_several_columns(self, server: SqlServer, tmp_path: Path) -> None:  # type: ignore[override]
        """All of them together tell rows apart; failed rows show all of them."""
        server.run("CREATE TABLE customers (tenant int, id bigint, score number(1,0), PRIMARY KEY (tenant, id))")
        server.run("INSERT INTO customers VALUES (1, 1, 0), (2, 1, 0)")
        rows = {"id": [1, 2, 3], "tenant": [2, 1, 1], "score": [5, 6, 10]}
        delivery = delivered(server, tmp_path, rows, identify_by=["tenant", "id"])
        assert [(1, 1, 0), (1, 2, 6), (2, 1, 5)] == server.fetch("SELECT * FROM customers ORDER BY tenant, id")
        assert ["1, 3"] == [row.identifier for row in delivery.failed()]

    def test_a_unique_value_of_another_row_is_refused(self, server: SqlServer, tmp_path: Path) -> None:
        """Unique columns are stored and not looked at: both rows have the value."""
        server.run(TABLE)
        server.run("INSERT INTO customers VALUES (9, 'b@x', 5, 'theirs')")
        delivery = delivered(server, tmp_path, PEOPLE)
        assert ([1, 2, 3], {}) == (delivery.numbers(Outcome.DELIVERED), delivery.reasons())
        assert [(2,), (9,)] == server.fetch("SELECT id FROM customers WHERE email = 'b@x' ORDER BY id")

    def test_numbers_at_the_limits_of_their_columns(self, server: SqlServer, tmp_path: Path) -> None:
        """Exact up to the last one that fits; one more is rejected by name. INT and SMALLINT are NUMBER(38,0)."""
        server.run("CREATE TABLE customers (id bigint, small number(5,0), big smallint)")
        top = {"small": 99_999, "big": 2**63 - 1}
        rows = [
            {"id": 1} | top,
            {"id": 2} | {name: -value for name, value in top.items()},
            {"id": 3, "small": 100_000, "big": 0},
            {"id": 4, "small": -100_000, "big": 0},
        ]
        delivery = delivered(server, tmp_path, pa.RecordBatch.from_pylist(rows))
        assert {3: ("out_of_range", "small"), 4: ("out_of_range", "small")} == delivery.reasons()
        assert [tuple(row.values()) for row in rows[:2]] == server.fetch("SELECT * FROM customers ORDER BY id")

    @pytest.mark.parametrize(
        ("columns", "rows", "words"),
        [
            ({"id": [1], "emial": ["x"]}, {}, ("no column emial", "Did you mean `EMAIL`?")),
            ({"key": [1]}, {"identify_by": "id"}, ("`identify_by` names id",)),
            ({"id": [1]}, {"table": "custmers"}, ("no table PUBLIC.custmers", "Did you mean CUSTOMERS?")),
            ({"id": [1]}, {"table": "elsewhere.customers"}, ("no schema elsewhere",)),
            ({"id": [1]}, {"write": "update_only"}, ("nothing to update",)),
            ({"id": [1], "ID": [1]}, {}, ("columns id and ID are both its column ID",)),
        ],
    )
    def test_what_the_table_does_not_have_is_named_before_the_run(
        self, server: SqlServer, tmp_path: Path, columns: dict[str, Any], rows: dict[str, Any], words: tuple[str, ...]
    ) -> None:
        """With what was probably meant; nothing is written."""
        server.run(TABLE)
        with pytest.raises(ConfigError) as raised:
            delivered(server, tmp_path, columns, **rows)
        assert all(word in str(raised.value) for word in words), str(raised.value)

    def test_a_column_that_needs_a_value_is_named_before_the_run(self, server: SqlServer, tmp_path: Path) -> None:
        """NOT NULL without a default; update_only does without."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, plan varchar(9) NOT NULL, score int)")
        with pytest.raises(ConfigError, match="needs a value for PLAN"):
            delivered(server, tmp_path / "1", {"id": [1], "score": [1]})
        delivery = delivered(server, tmp_path / "2", {"id": [1], "score": [1]}, write="update_only")
        assert [1] == delivery.numbers(Outcome.EXCLUDED)

    def test_names_that_need_quotes(self, server: SqlServer, tmp_path: Path) -> None:
        """Reserved words, blanks, quotes, percent signs, lower case."""
        names = ["order", "two words", "per%cent", "lower", "it's", "place", "c0", "s", "t"]
        columns = ", ".join(f"{self.quoted(name)} int" for name in names)
        server.run(f"CREATE TABLE {self.quoted('My table')} (id bigint PRIMARY KEY, {columns})")
        rows = {"id": [1]} | {name: [at] for at, name in enumerate(names)}
        delivered(server, tmp_path, rows, table="My table")
        assert [(1, *range(len(names)))] == server.fetch(f"SELECT * FROM {self.quoted('My table')}")

    @settings(max_examples=4, deadline=None, suppress_health_check=FINE, database=None)
    @given(
        bad=st.dictionaries(st.integers(1, 30), st.sampled_from([*BAD])),
        rows_per_transaction=st.sampled_from([7, 100]),
        there=st.integers(0, 30),
    )
    def test_exactly_the_bad_rows_are_refused(  # type: ignore[override]
        self, server: SqlServer, bad: dict[int, str], rows_per_transaction: int, there: int
    ) -> None:
        """Any subset, for any reason, of new rows and of those that are there: the others are written."""
        server.run(
            "CREATE OR REPLACE TABLE customers (id bigint, score number(3,0), note varchar(40) NOT NULL, day date, "
            "doc variant)"
        )
        if there:
            old = ", ".join(f"({n}, 0, 'old', NULL, NULL)" for n in range(1, there + 1))
            server.run(f"INSERT INTO customers VALUES {old}")
        rows = [{"id": n, "score": n, "note": "x", "day": "2024-02-29", "doc": "[1]"} for n in range(1, 31)]
        for number, why in bad.items():
            rows[number - 1][BAD[why][0]] = BAD[why][1]
        with tempfile.TemporaryDirectory() as folder:
            batches = [pa.RecordBatch.from_pylist(rows)]
            section = {"table": "customers", "identify_by": "id"}
            limit = {"rows_per_transaction": rows_per_transaction}
            delivery = Delivery(server, Path(folder), batches, section, limit)
            counts = delivery.deliver().counts
            assert {number: (BAD[why][2], BAD[why][0]) for number, why in bad.items()} == delivery.reasons()
            assert Counts(30, delivered=30 - len(bad), rejected=len(bad)) == counts
            stored = [n for (n,) in server.fetch("SELECT id FROM customers WHERE note = 'x' ORDER BY id")]
            assert [n for n in range(1, 31) if n not in bad] == stored == delivery.numbers(Outcome.DELIVERED)

    def test_when_all_rows_are_bad_each_has_its_reason(self, server: SqlServer, tmp_path: Path) -> None:
        """An end like any other, in one pass."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, note varchar(3))")
        delivery = delivered(server, tmp_path, {"id": list(range(300)), "note": ["long"] * 300})
        assert (300, {("too_long", "note")}) == (len(delivery.reasons()), set(delivery.reasons().values()))

    def test_no_message_holds_a_rows_value(self, server: SqlServer, tmp_path: Path) -> None:
        """Columns are named, values never."""
        server.run("CREATE TABLE customers (id bigint, note varchar(9) NOT NULL, day date)")
        rows = {"id": [1, 2, 3], "note": ["planted secret", None, "x"], "day": ["2024-01-01", None, "planted"]}
        delivery = delivered(server, tmp_path, rows)
        messages = " ".join(row.why.message for row in delivery.failed())
        assert (3, False) == (len(delivery.failed()), "planted" in messages)

    def count_writes(self, server: SqlServer) -> None:
        """What the counterpart reports of each MERGE."""
        assert isinstance(server, Snowflake)
        if isinstance(server, Account):
            pytest.skip("the counterpart counts")
        server.running.behave()

    def writes(self, server: SqlServer) -> int:
        """Inserted and updated."""
        assert isinstance(server, Snowflake)
        return int(sum(server.running.seen()["merged"]))


@pytest.mark.thorough
class TestEdges(SqlEdges):
    """Likewise."""

    table = "CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(40), score int)"
    refuses = 1
    has_unique = has_checks = False
    double = "float"
    holds_infinity = True
    holds_nul = True
    grant_delete = f"GRANT DELETE ON ALL TABLES IN SCHEMA CRM.PUBLIC TO ROLE {ROLE}"

    def make_named(self, server: SqlServer, table: str, columns: tuple[str, str, str]) -> None:
        """Nothing is unique, nothing is checked."""
        if "'" in table and not isinstance(server, Account):
            pytest.xfail("fakesnow cannot make a table with a quote in its name")
        key, data, unique = map(self._quoted, columns)
        server.run(f"CREATE TABLE {self._quoted(table)} ({key} bigint, {data} int, {unique} int)")

    def test_a_server_without_tls_is_refused(  # type: ignore[override]
        self, server: SqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """But for one on this machine: nothing is sent to it."""
        monkeypatch.setenv("CRM_HOST", "snowflake.example.com")
        with pytest.raises(ConfigError, match=r"must start with https"):
            delivered(server, tmp_path, {"id": [1]}, settings={"host": EnvText("${CRM_HOST}")})
