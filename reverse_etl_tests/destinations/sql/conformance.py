"""The suite that every database destination is put through, on a real server: rows in a table, each with one outcome.

Subclass it in ``<destination>/test_conformance.py``, and give the server as the fixture ``server``.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from abc import ABC
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reverse_etl.errors import ConfigError
from reverse_etl.report import Counts, Outcome
from reverse_etl.sources.base import marked
from reverse_etl_tests.destinations.sql.tables import Delivery, SqlServer, delivered

INSTANT = pa.timestamp("us", "UTC")
PEOPLE = {"id": [1, 2, 3], "email": ["a@x", "b@x", "c@x"], "score": [10, 20, 30]}
TABLE = "CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(40) UNIQUE, score int, note varchar(40))"

NASTY = [
    "", " ", "  both  ", "\t", "\n", "\r", "a\rb", "\r\n", "\\", "\\N", "\\.", '"', '""', "'", "''", ",", ";", "NULL",
    "null", "é", "e\u0301", "日本語", "🙂", "\ufeff", "\u200b", "\u2028", "%s", "$1", ":x", "{}", "--", "/*",
    "\x01", "\x7f",
]  # fmt: skip
"""Texts that quoting, delimiters or NULL markers may alter."""


FINE = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
"""Each example makes its table anew, and each engine has its own."""


class SqlConformance(ABC):
    """What a table looks like after rows were delivered, and what became of each row.

    Attributes:
        types: The engine's name of a type, by the SQL standard's.
        last_instant: The last that a column with a zone holds.
        grant_delete: Gives the right to delete rows of ``customers``.
        revoke_all_but_insert: Leaves no right on ``customers`` but to add rows.
    """

    types: ClassVar[Mapping[str, str]]
    grant_delete: ClassVar[str]
    revoke_all_but_insert: ClassVar[str]
    last_instant: ClassVar[dt.datetime] = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)

    def test_new_rows_arrive(self, server: SqlServer, tmp_path: Path) -> None:
        """Every column is equal after reading back, and every row is delivered."""
        server.run(TABLE)
        delivery = delivered(server, tmp_path, PEOPLE)
        assert [1, 2, 3] == delivery.numbers(Outcome.DELIVERED)
        assert self._people(server) == list(zip(*PEOPLE.values(), strict=True))

    def test_a_second_run_touches_nothing(self, server: SqlServer, tmp_path: Path) -> None:
        """Rows that are the same are delivered and not written: no trigger fires."""
        server.run(TABLE)
        delivered(server, tmp_path / "1", PEOPLE)
        self.count_writes(server)
        delivery = delivered(server, tmp_path / "2", PEOPLE)
        assert ([1, 2, 3], 0) == (delivery.numbers(Outcome.DELIVERED), self.writes(server))

    def test_one_changed_column_updates_one_row(self, server: SqlServer, tmp_path: Path) -> None:
        """And NULL is a change like any other."""
        server.run(TABLE)
        delivered(server, tmp_path / "1", PEOPLE)
        self.count_writes(server)
        delivered(server, tmp_path / "2", PEOPLE | {"score": [10, None, 30]})
        assert (1, [(1, 10), (2, None), (3, 30)]) == (
            self.writes(server),
            server.fetch("SELECT id, score FROM customers ORDER BY id"),
        )

    @pytest.mark.parametrize("texts", [("Anna", "ANNA"), ("René", "Rene"), ("a", "a "), ("é", "e\u0301"), ("", " ")])
    def test_a_change_of_spelling_alone_is_a_change(
        self, server: SqlServer, tmp_path: Path, texts: tuple[str, str]
    ) -> None:
        """Whatever texts the table's collation has equal: case, accents, blanks at the end."""
        server.run(TABLE)
        for text in texts:
            delivered(server, tmp_path / str(len(server.fetch("SELECT * FROM customers"))), {"id": [1], "note": [text]})
            assert [(text,)] == server.fetch("SELECT note FROM customers")

    def test_columns_of_others_keep_their_values(self, server: SqlServer, tmp_path: Path) -> None:
        """What the query does not return is not written."""
        server.run(TABLE)
        server.run("INSERT INTO customers VALUES (2, 'old@x', 5, 'theirs')")
        delivered(server, tmp_path, PEOPLE)
        assert [(None,), ("theirs",), (None,)] == server.fetch("SELECT note FROM customers ORDER BY id")

    def test_update_only_never_adds(self, server: SqlServer, tmp_path: Path) -> None:
        """Rows that the table does not have are excluded."""
        server.run(TABLE)
        server.run("INSERT INTO customers VALUES (2, 'old@x', 5, 'theirs')")
        delivery = delivered(server, tmp_path, PEOPLE, write="update_only")
        assert ([2], [1, 3]) == (delivery.numbers(Outcome.DELIVERED), delivery.numbers(Outcome.EXCLUDED))
        assert [(2, "b@x", 20)] == self._people(server)

    def test_add_only_never_updates(self, server: SqlServer, tmp_path: Path) -> None:
        """Rows that the table has are excluded."""
        server.run(TABLE)
        server.run("INSERT INTO customers VALUES (2, 'old@x', 5, 'theirs')")
        delivery = delivered(server, tmp_path, PEOPLE, write="add_only")
        assert ([1, 3], [2]) == (delivery.numbers(Outcome.DELIVERED), delivery.numbers(Outcome.EXCLUDED))
        assert [(1, "a@x", 10), (2, "old@x", 5), (3, "c@x", 30)] == self._people(server)

    @pytest.mark.parametrize("key", [(), ("id",)])
    def test_append_adds_every_row_each_time(self, server: SqlServer, tmp_path: Path, key: tuple[str, ...]) -> None:
        """Whatever the table has; it needs no right but to add, and no key."""
        server.run("CREATE TABLE customers (id bigint, score int)")
        server.run(self.revoke_all_but_insert)
        rows = {"id": [1, 2, 3], "score": [1, 2, 3]}
        for folder in ("1", "2"):
            delivery = delivered(server, tmp_path / folder, rows, write="append", identify_by=key)
            assert ([1, 2, 3], []) == (delivery.numbers(Outcome.DELIVERED), delivery.failed())
        stored = [*zip(*rows.values(), strict=True)]
        assert sorted([*stored, *stored]) == sorted(server.fetch("SELECT id, score FROM customers"))

    def test_append_names_each_bad_row(self, server: SqlServer, tmp_path: Path) -> None:
        """What does not fit is not sent, what the table refuses is named; the rest is added, once."""
        server.run("CREATE TABLE customers (at bigint, score int CHECK (score < 900), email varchar(9) UNIQUE)")
        count = 60
        rows = {
            "at": [*range(count)],
            "score": [900 if at % 7 == 0 else at for at in range(count)],
            "email": ["0123456789" if at == 1 else "same" if at in (2, 3) else None for at in range(count)],
        }
        delivery = delivered(server, tmp_path, rows, write="append", identify_by=())
        bad = {at + 1: ("breaks_check", "score") for at in range(0, count, 7)}
        bad |= {2: ("too_long", "email"), 4: ("duplicate_value", "email")}
        assert bad == delivery.reasons()
        assert sorted(set(range(count)) - {row - 1 for row in bad}) == sorted(
            at for (at,) in server.fetch("SELECT at FROM customers")
        )

    @pytest.mark.parametrize("key", ["PRIMARY KEY", ""])
    def test_rows_that_say_that_they_are_gone_are_deleted(self, server: SqlServer, tmp_path: Path, key: str) -> None:
        """Those that are not there are as good; the others are written, and other rows are left alone."""
        server.run(f"CREATE TABLE customers (id bigint {key}, score int)")
        server.run("INSERT INTO customers VALUES (1, 1), (2, 2), (7, 7)")
        server.run(self.grant_delete)
        rows = {"id": [1, 2, 3, 4], "score": [None, 20, None, 40], "deleted": [True, False, True, None]}
        delivery = delivered(server, tmp_path, rows, gone="delete")
        assert [1, 2, 3, 4] == delivery.numbers(Outcome.DELIVERED)
        assert [(2, 20), (4, 40), (7, 7)] == server.fetch("SELECT id, score FROM customers ORDER BY id")

    def test_keys_of_any_type_are_deleted_as_they_are_remembered(self, server: SqlServer, tmp_path: Path) -> None:
        """The text of a key, which a date-time's is not what the table would read from it."""
        instant, text = self.types["timestamp with time zone"], self.types["varchar(40)"]
        server.run(f"CREATE TABLE customers (at {instant}, day date, name {text}, PRIMARY KEY (at, day, name))")
        server.run(self.grant_delete)
        at, day = dt.datetime(2024, 7, 1, 10, tzinfo=dt.UTC), dt.date(2024, 2, 29)
        keys = ("at", "day", "name")
        delivered(server, tmp_path / "1", {"at": [at, at], "day": [day, day], "name": ["a", "b"]}, identify_by=keys)
        gone = {"at": [str(int(at.timestamp()))], "day": ["2024-02-29"], "name": ["a"], "deleted": [True]}
        delivery = delivered(server, tmp_path / "2", gone, identify_by=keys, gone="delete")
        assert ([1], {}) == (delivery.numbers(Outcome.DELIVERED), delivery.reasons())
        assert [("b",)] == server.fetch("SELECT name FROM customers")

    def test_a_row_that_another_table_needs_is_not_deleted(self, server: SqlServer, tmp_path: Path) -> None:
        """It fails alone."""
        server.run(f"{TABLE}; INSERT INTO customers VALUES (1, 'a', 1, ''), (2, 'b', 2, ''), (3, 'c', 3, '')")
        server.run("CREATE TABLE orders (customer bigint, FOREIGN KEY (customer) REFERENCES customers (id))")
        server.run(f"INSERT INTO orders VALUES (2); {self.grant_delete}")
        rows = {"id": [1, 2, 3], "deleted": [True] * 3}
        delivery = delivered(server, tmp_path, rows, gone="delete")
        assert ([2], [1, 3]) == (delivery.numbers(Outcome.REFUSED), delivery.numbers(Outcome.DELIVERED))
        assert [(2,)] == server.fetch("SELECT id FROM customers")

    def test_null_and_empty_text_stay_apart(self, server: SqlServer, tmp_path: Path) -> None:
        """Both are written as they are."""
        server.run(TABLE)
        delivered(server, tmp_path, {"id": [1, 2, 3], "note": ["", None, "x"]})
        assert [("",), (None,), ("x",)] == server.fetch("SELECT note FROM customers ORDER BY id")

    @pytest.mark.parametrize("write", ["add_and_update", "update_only"])
    def test_empty_values_that_are_ignored_keep_what_is_there(
        self, server: SqlServer, tmp_path: Path, write: str
    ) -> None:
        """NULL and '' leave the row's value, also where the column must not be empty; others are written."""
        text = self.types["varchar(40)"]
        server.run(f"CREATE TABLE customers (id bigint PRIMARY KEY, note {text} NOT NULL, score int)")
        server.run("INSERT INTO customers VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)")
        rows = {"id": [1, 2, 3], "note": ["", None, "new"], "score": [None, 7, None]}
        for folder in ("1", "2"):
            delivery = delivered(server, tmp_path / folder, rows, write=write, empty_values="ignore")
            assert ([1, 2, 3], []) == (delivery.numbers(Outcome.DELIVERED), delivery.failed())
            assert [(1, "a", 1), (2, "b", 7), (3, "new", 3)] == server.fetch("SELECT * FROM customers ORDER BY id")

    def test_a_missing_key_is_rejected(self, server: SqlServer, tmp_path: Path) -> None:
        """NULL matches nothing, and would be added again each time."""
        server.run(TABLE)
        delivery = delivered(server, tmp_path, {"id": [1, None], "score": [1, 2]})
        assert {2: ("missing_identifier", "id")} == delivery.reasons()
        assert [2] == delivery.numbers(Outcome.REJECTED)

    @pytest.mark.parametrize("key", ["PRIMARY KEY", ""])
    def test_a_key_twice_in_a_slice_is_refused(self, server: SqlServer, tmp_path: Path, key: str) -> None:
        """The first row is written, whether or not the table has a unique index."""
        server.run(f"CREATE TABLE customers (id bigint {key}, score int)")
        delivery = delivered(server, tmp_path, {"id": [7, 8, 7], "score": [1, 2, 3]})
        assert {3: ("duplicate_key", "id")} == delivery.reasons()
        assert [(7, 1), (8, 2)] == server.fetch("SELECT id, score FROM customers ORDER BY id")

    def test_a_key_that_several_rows_have_is_refused(self, server: SqlServer, tmp_path: Path) -> None:
        """None of them is changed; rows with another key are written."""
        server.run("CREATE TABLE customers (id bigint, score int)")
        server.run("INSERT INTO customers VALUES (1, 0), (1, 0), (2, 0)")
        delivery = delivered(server, tmp_path, {"id": [1, 2, 3], "score": [5, 6, 7]})
        assert {1: ("matches_several_rows", "id")} == delivery.reasons()
        assert [(1, 0), (1, 0), (2, 6), (3, 7)] == server.fetch("SELECT id, score FROM customers ORDER BY id, score")

    @pytest.mark.parametrize("key", [", PRIMARY KEY (tenant, id)", ""])
    def test_a_key_of_several_columns(self, server: SqlServer, tmp_path: Path, key: str) -> None:
        """All of them together tell rows apart; failed rows show all of them."""
        server.run(f"CREATE TABLE customers (tenant int, id bigint, score int CHECK (score < 9){key})")
        server.run("INSERT INTO customers VALUES (1, 1, 0), (2, 1, 0)")
        rows = {"id": [1, 2, 3], "tenant": [2, 1, 1], "score": [5, 6, 9]}
        delivery = delivered(server, tmp_path, rows, identify_by=["tenant", "id"])
        assert [(1, 1, 0), (1, 2, 6), (2, 1, 5)] == server.fetch("SELECT * FROM customers ORDER BY tenant, id")
        assert ["1, 3"] == [row.identifier for row in delivery.failed()]

    def test_without_a_unique_index_rows_are_found_all_the_same(self, server: SqlServer, tmp_path: Path) -> None:
        """A second run updates what the first one added."""
        server.run("CREATE TABLE customers (id bigint, score int)")
        for score in (1, 2):
            delivered(server, tmp_path / str(score), {"id": [1, 2], "score": [score, score]})
        assert [(1, 2), (2, 2)] == server.fetch("SELECT id, score FROM customers ORDER BY id")

    def test_a_unique_value_of_another_row_is_refused(self, server: SqlServer, tmp_path: Path) -> None:
        """That row is untouched."""
        server.run(TABLE)
        server.run("INSERT INTO customers VALUES (9, 'b@x', 5, 'theirs')")
        delivery = delivered(server, tmp_path, PEOPLE)
        assert {2: ("duplicate_value", "email")} == delivery.reasons()
        assert [(9, "b@x", 5, "theirs")] == server.fetch("SELECT * FROM customers WHERE id = 9")
        assert [(1, "a@x", 10), (3, "c@x", 30), (9, "b@x", 5)] == self._people(server)

    def test_rows_that_swap_unique_values_have_outcomes_that_are_true(self, server: SqlServer, tmp_path: Path) -> None:
        """Neither order works row by row: what is called delivered is there, the rest is refused and untouched."""
        server.run(TABLE)
        server.run("INSERT INTO customers (id, email) VALUES (1, 'a@x'), (2, 'b@x')")
        delivery = delivered(server, tmp_path, {"id": [1, 2], "email": ["b@x", "a@x"]})
        stored = dict(server.fetch("SELECT id, email FROM customers"))
        wanted = {1: "b@x", 2: "a@x"}
        assert {n for n in wanted if stored[n] == wanted[n]} == set(delivery.numbers(Outcome.DELIVERED))

    def test_numbers_at_the_limits_of_their_columns(self, server: SqlServer, tmp_path: Path) -> None:
        """Exact up to the last one that fits; one more is rejected by name, and never wraps or is cut."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, small smallint, medium int, big bigint)")
        top = {"small": 2**15 - 1, "medium": 2**31 - 1, "big": 2**63 - 1}
        rows = [
            {"id": 1} | top,
            {"id": 2} | {name: -value - 1 for name, value in top.items()},
            {"id": 3, "small": 2**15, "medium": 0, "big": 0},
            {"id": 4, "small": 0, "medium": -(2**31) - 1, "big": 0},
        ]
        delivery = delivered(server, tmp_path, pa.RecordBatch.from_pylist(rows))
        assert {3: ("out_of_range", "small"), 4: ("out_of_range", "medium")} == delivery.reasons()
        assert [tuple(row.values()) for row in rows[:2]] == server.fetch("SELECT * FROM customers ORDER BY id")

    def test_decimals_keep_every_digit(self, server: SqlServer, tmp_path: Path) -> None:
        """As many as the column has; what would be rounded is rejected."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, price numeric(5,2), wide numeric(38,10))")
        wide = "1234567890123456789012345678.0123456789"
        prices = ["999.99", "-0.01", "1.10", "1000", "1.005", None]
        batch = _marked(
            {"id": [1, 2, 3, 4, 5, 6], "price": prices, "wide": [wide] * 6}, price="decimal", wide="decimal"
        )
        delivery = delivered(server, tmp_path, batch)
        assert {4: ("out_of_range", "price"), 5: ("too_many_decimals", "price")} == delivery.reasons()
        assert [(Decimal(p) if p else None, Decimal(wide)) for p in (*prices[:3], None)] == server.fetch(
            "SELECT price, wide FROM customers ORDER BY id"
        )

    def test_doubles_keep_every_bit(self, server: SqlServer, tmp_path: Path) -> None:
        """From the least to the greatest."""
        server.run(f"CREATE TABLE customers (id bigint PRIMARY KEY, x {self.types['double precision']})")
        values = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -2.5, 123456789.123456789, 0.1 + 0.2]
        delivered(server, tmp_path, {"id": list(range(len(values))), "x": values})
        assert [(value,) for value in values] == server.fetch("SELECT x FROM customers ORDER BY id")

    def test_texts_at_their_longest(self, server: SqlServer, tmp_path: Path) -> None:
        """Characters count, not bytes; one more is rejected, blanks at the end included, and never cut off."""
        server.run(f"CREATE TABLE customers (id bigint PRIMARY KEY, note {self.types['varchar(40)']})")
        texts = ["é" * 40, "🙂" * 40, "x" * 41, "x" * 40 + " ", ""]
        delivery = delivered(server, tmp_path, {"id": [1, 2, 3, 4, 5], "note": texts})
        assert {3: ("too_long", "note"), 4: ("too_long", "note")} == delivery.reasons()
        assert [(texts[0],), (texts[1],), ("",)] == server.fetch("SELECT note FROM customers ORDER BY id")

    def test_texts_arrive_character_by_character(self, server: SqlServer, tmp_path: Path) -> None:
        """Quotes, backslashes, line ends, delimiters, words for NULL."""
        server.run(f"CREATE TABLE customers (id bigint PRIMARY KEY, note {self.types['text']})")
        delivery = delivered(server, tmp_path, {"id": list(range(len(NASTY))), "note": NASTY})
        assert [] == delivery.failed()
        assert [(text,) for text in NASTY] == server.fetch("SELECT note FROM customers ORDER BY id")

    def test_booleans(self, server: SqlServer, tmp_path: Path) -> None:
        """True, false and neither."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, ok boolean)")
        delivered(server, tmp_path, {"id": [1, 2, 3], "ok": [True, False, None]})
        assert [True, False, None] == [
            None if ok is None else bool(ok) for (ok,) in server.fetch("SELECT ok FROM customers ORDER BY id")
        ]

    def test_dates_and_times(self, server: SqlServer, tmp_path: Path) -> None:
        """Instants in columns with a zone and without, in the destination's; microseconds; far years."""
        instant, wall = self.types["timestamp with time zone"], self.types["timestamp"]
        server.run(f"CREATE TABLE customers (id bigint PRIMARY KEY, d date, i {instant}, w {wall})")
        days = [dt.date(1900, 1, 1), dt.date(9999, 12, 31), None]
        times = [
            dt.datetime(2039, 7, 1, 12, 0, 0, 123_456, tzinfo=dt.UTC),
            dt.datetime(2024, 3, 31, 1, 30, tzinfo=dt.UTC),
            None,
        ]
        instants = [at and min(at, self.last_instant) for at in times]
        batch = pa.RecordBatch.from_pydict(
            {"id": [1, 2, 3], "d": days, "i": pa.array(instants, INSTANT), "w": pa.array(times, INSTANT)}
        )
        delivered(server, tmp_path, batch, settings={"timezone": "Europe/Berlin"})
        walls = [dt.datetime(2039, 7, 1, 14, 0, 0, 123_456), dt.datetime(2024, 3, 31, 3, 30), None]  # noqa: DTZ001
        stored = server.fetch("SELECT d, i, w FROM customers ORDER BY id")
        assert list(zip(days, instants, walls, strict=True)) == [
            (day, at and at.astimezone(dt.UTC), wall) for day, at, wall in stored
        ]

    def test_json(self, server: SqlServer, tmp_path: Path) -> None:
        """Text, object, array and big numbers; the same values are no change."""
        server.run(f"CREATE TABLE customers (id bigint PRIMARY KEY, doc {self.types['json']})")
        docs = ['{"a": 1, "b": [true, null]}', "[1, 2]", '"text"', "12345678901234567890.5", None]
        batch = _marked({"id": [1, 2, 3, 4, 5], "doc": docs}, doc="json")
        delivered(server, tmp_path / "1", batch)
        self.count_writes(server)
        delivery = delivered(server, tmp_path / "2", batch)
        assert (5, 0) == (len(delivery.numbers(Outcome.DELIVERED)), self.writes(server))

    @pytest.mark.parametrize(
        ("columns", "rows", "words"),
        [
            ({"id": [1], "emial": ["x"]}, {}, ("emial", "email")),
            ({"id": [1], "Email": ["x"]}, {}, ("Email", "email")),
            ({"ID": [1]}, {"identify_by": "ID"}, ("no column ID", "`id`")),
            ({"key": [1]}, {"identify_by": "id"}, ("`identify_by` names id",)),
            ({"id": [1]}, {"table": "custmers"}, ("custmers", "customers")),
            ({"id": [1]}, {"table": "CUSTOMERS"}, ("CUSTOMERS", "customers")),
            ({"id": [1]}, {"write": "update_only"}, ("nothing to update",)),
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
        assert raised.value.hint

    def test_a_column_that_needs_a_value_is_named_before_the_run(self, server: SqlServer, tmp_path: Path) -> None:
        """NOT NULL without a default; update_only does without."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, plan varchar(9) NOT NULL, score int)")
        with pytest.raises(ConfigError, match="needs a value for plan") as raised:
            delivered(server, tmp_path / "1", {"id": [1], "score": [1]})
        assert raised.value.hint
        delivery = delivered(server, tmp_path / "2", {"id": [1], "score": [1]}, write="update_only")
        assert [1] == delivery.numbers(Outcome.EXCLUDED)

    def test_names_that_need_quotes(self, server: SqlServer, tmp_path: Path) -> None:
        """Reserved words, blanks, quotes, percent signs, upper case."""
        names = ["order", "two words", "per%cent", "UPPER", "it's", "place", "c0", "s", "t"]
        columns = ", ".join(f"{self.quoted(name)} int" for name in names)
        table, checked = self.quoted("My table"), self.quoted("c0")
        server.run(f"CREATE TABLE {table} (id bigint PRIMARY KEY, {columns}, CHECK ({checked} < 9))")
        rows = {"id": [1, 2]} | {name: [at, at] for at, name in enumerate(names)} | {"c0": [1, 9]}
        delivery = delivered(server, tmp_path, rows, table="My table")
        assert [2] == delivery.numbers(Outcome.REFUSED)
        assert [(1, *[rows[name][0] for name in names])] == server.fetch(f"SELECT * FROM {table}")

    @settings(max_examples=8, deadline=None, suppress_health_check=FINE, database=None)
    @given(
        bad=st.dictionaries(st.integers(1, 30), st.sampled_from(["check", "reference", "unique", "null", "trigger"])),
        rows_per_transaction=st.sampled_from([7, 100]),
        key=st.sampled_from(["PRIMARY KEY", ""]),
        there=st.integers(0, 30),
    )
    def test_exactly_the_bad_rows_are_refused(
        self, server: SqlServer, bad: dict[int, str], rows_per_transaction: int, key: str, there: int
    ) -> None:
        """Any subset, for any reason, of new rows and of those that are there: the others are written."""
        self.make_constrained(server, key)
        for n in range(1, there + 1):
            server.run(f"INSERT INTO customers VALUES ({n}, 0, NULL, NULL, 'old')")
        rows = [{"id": n, "score": n, "plan": 1, "email": f"{n}@x", "note": "x"} for n in range(1, 31)]
        wrong: dict[str, tuple[str, Any]] = {
            "check": ("score", 1000), "reference": ("plan", 7), "unique": ("email", "taken@x"), "null": ("note", None),
            "trigger": ("score", -1),
        }  # fmt: skip
        for number, why in bad.items():
            column, value = wrong[why]
            rows[number - 1][column] = value
        expected = {
            "check": ("breaks_check", "score"), "reference": ("missing_reference", "plan"),
            "unique": ("duplicate_value", "email"), "null": ("null", "note"), "trigger": ("trigger", ""),
        }  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            section = {"table": "customers", "identify_by": "id"}
            delivery = Delivery(
                server,
                Path(folder),
                [pa.RecordBatch.from_pylist(rows)],
                section,
                {"rows_per_transaction": rows_per_transaction},
            )
            counts = delivery.deliver().counts
            assert {number: expected[why] for number, why in bad.items()} == delivery.reasons()
            # NULL too is the server's to refuse: the trigger might have filled it.
            assert Counts(30, delivered=30 - len(bad), refused=len(bad)) == counts
            stored = [n for (n,) in server.fetch("SELECT id FROM customers WHERE plan = 1 AND id < 100 ORDER BY id")]
            assert [n for n in range(1, 31) if n not in bad] == stored == delivery.numbers(Outcome.DELIVERED)

    def test_when_all_rows_are_bad_each_has_its_reason(self, server: SqlServer, tmp_path: Path) -> None:
        """An end like any other, in one pass."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, score int CHECK (score < 9))")
        delivery = delivered(server, tmp_path, {"id": list(range(300)), "score": [9] * 300})
        assert (300, {("breaks_check", "score")}) == (len(delivery.reasons()), set(delivery.reasons().values()))

    def test_no_message_holds_a_rows_value(self, server: SqlServer, tmp_path: Path) -> None:
        """Constraints and columns are named, values never."""
        self.make_constrained(server, "PRIMARY KEY")
        rows = [
            {"id": n, "score": 424242, "plan": 515151, "email": "taken@x", "note": "planted secret"} for n in (1, 2, 3)
        ]
        rows[0] |= {"score": 1, "plan": 1}
        rows[1] |= {"score": 1, "email": "planted@x"}
        delivery = delivered(server, tmp_path, pa.RecordBatch.from_pylist(rows))
        told = " ".join(row.why.message for row in delivery.failed())
        assert 3 == len(delivery.failed())
        assert not [value for value in ("424242", "515151", "taken", "planted") if value in told]

    def make_constrained(self, server: SqlServer, key: str) -> None:
        """Makes ``customers`` with a check, a reference, a unique column, NOT NULL and a trigger against score -1."""
        raise NotImplementedError

    def count_writes(self, server: SqlServer) -> None:
        """From now on, each row of ``customers`` that is written counts."""
        raise NotImplementedError

    def writes(self, server: SqlServer) -> int:
        """How many rows were written since."""
        raise NotImplementedError

    def quoted(self, name: str) -> str:
        """A name as the engine's SQL takes it."""
        return '"' + name.replace('"', '""') + '"'

    def _people(self, server: SqlServer) -> list[tuple[Any, ...]]:
        return server.fetch("SELECT id, email, score FROM customers ORDER BY id")


def _marked(columns: dict[str, list[Any]], **marks: str) -> pa.RecordBatch:
    """Columns, some of them strings that are marked as ``decimal`` or ``json``."""
    fields = [
        marked(name, marks[name]) if name in marks else pa.field(name, pa.array(values).type)
        for name, values in columns.items()
    ]
    return pa.RecordBatch.from_pydict(columns, schema=pa.schema(fields))
