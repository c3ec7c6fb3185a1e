"""What a table can hold at its edges: numbers that are none, far years, the longest names; and what must not be said.

Subclass it beside each suite, and give the server as the fixture ``server``.
"""

from __future__ import annotations

import datetime as dt
import math
import socket
import threading
from abc import ABC
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.errors import ConfigError, DestinationRefusedError
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.sql.tables import SqlServer, delivered

NAMES = [
    *("n" * 63, "é" * 31, "SELECT", "a.b", "ß", "it's", "both\"quotes`and'"),
    *(" two  words", "tab\tx", "per%%cent %s", "back\\slash"),
]
"""Names of a table; those of its columns end with another letter."""
NO_NUMBERS = [math.nan, math.inf, -math.inf]
TABLE = "CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(40) UNIQUE, score int CHECK (score < 900))"


class SqlEdges(ABC):
    """What differs is said here.

    Attributes:
        table: A table whose rows are refused for an e-mail address that is taken, for their score, for long texts.
        refuses: How many of three such rows are refused.
        has_unique: Whether values can be unique.
        has_checks: Whether columns can have checks.
        double: The type of floats of 64 bits.
        holds_infinity: Whether such a column holds what is no number.
        holds_nul: Whether a text holds NUL.
        quote: Around a name, twice within it.
        without_tls: What a server without TLS says first.
        grant_delete: Gives the right to delete rows of a table.
    """

    table: ClassVar[str] = TABLE
    refuses: ClassVar[int] = 3
    has_unique: ClassVar[bool] = True
    has_checks: ClassVar[bool] = True
    double: ClassVar[str] = "double precision"
    holds_infinity: ClassVar[bool] = False
    holds_nul: ClassVar[bool] = False
    quote: ClassVar[str] = '"'
    without_tls: ClassVar[bytes]
    grant_delete: ClassVar[str]

    def test_floats_that_are_no_numbers(self, server: SqlServer, tmp_path: Path) -> None:
        """They are stored as they are and are no change later, or named; the zero below zero is a zero."""
        server.run(f"CREATE TABLE customers (id bigint PRIMARY KEY, x {self.double})")
        rows = {"id": [1, 2, 3, 4, 5], "x": [*NO_NUMBERS, -0.0, 0.1]}
        bad = {} if self.holds_infinity else dict.fromkeys((1, 2, 3), ("not_a_number", "x"))
        for folder in ("1", "2"):
            delivery = delivered(server, tmp_path / folder, rows)
            assert (bad, [1, 2, 3, 4, 5]) == (
                delivery.reasons(),
                sorted([*bad, *delivery.numbers(Outcome.DELIVERED)]),
            )
        stored = [x for (x,) in server.fetch("SELECT x FROM customers ORDER BY id")]
        expected = [*NO_NUMBERS, 0.0, 0.1] if self.holds_infinity else [0.0, 0.1]
        assert [repr(x) for x in expected] == [repr(x or 0.0) for x in stored]

    def test_a_nul(self, server: SqlServer, tmp_path: Path) -> None:
        """It is stored, or its row is named."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, note varchar(40))")
        delivery = delivered(server, tmp_path, {"id": [1, 2], "note": ["a\0b", "c"]})
        assert ({} if self.holds_nul else {1: ("nul_character", "note")}) == delivery.reasons()
        stored = [text for (text,) in server.fetch("SELECT note FROM customers ORDER BY id")]
        assert (["a\0b"] if self.holds_nul else []) + ["c"] == stored

    def test_dates_from_the_first_year_to_the_last(self, server: SqlServer, tmp_path: Path) -> None:
        """As they are, and no change later."""
        days = [dt.date(1, 1, 1), dt.date(1582, 10, 10), dt.date(1900, 2, 28), dt.date(1970, 1, 1), dt.date.max]
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, day date)")
        delivery = delivered(server, tmp_path, {"id": [*range(len(days))], "day": days})
        assert {} == delivery.reasons()
        assert [(day,) for day in days] == server.fetch("SELECT day FROM customers ORDER BY id")

    def test_a_binary_value_is_refused_with_its_columns_name(self, server: SqlServer, tmp_path: Path) -> None:
        """The row beside it is written."""
        server.run("CREATE TABLE customers (id bigint PRIMARY KEY, note varchar(40))")
        rows = pa.RecordBatch.from_pydict({"id": [1, 2], "note": pa.array([b"\0\xff", None], pa.binary())})
        assert {1: ("wrong_type", "note")} == delivered(server, tmp_path, rows).reasons()

    @pytest.mark.parametrize(
        ("name", "write"), [(name, ("add_and_update", "update_only")[at % 2]) for at, name in enumerate(NAMES)]
    )
    def test_any_name_is_a_name(self, server: SqlServer, tmp_path: Path, name: str, write: str) -> None:
        """Of a table, of its key, of a column that is checked, and of what a row fails by."""
        table, key, data, unique = name, f"{name[:-1]}k", f"{name[:-1]}d", f"{name[:-1]}u"
        self.make_named(server, table, (key, data, unique))
        server.run(f"INSERT INTO {self._quoted(table)} VALUES (1, 1, 1), (2, 2, 2)")
        rows = {key: [1, 2, 3, 4], data: [10, 900, 30, 40], unique: [1, 2, 2, 4]}
        delivery = delivered(server, tmp_path / "1", rows, table=table, identify_by=key, write=write)
        adds = write == "add_and_update"
        bad = {2: ("breaks_check", data)} if self.has_checks else {}
        assert bad | ({3: ("duplicate_value", unique)} if adds and self.has_unique else {}) == delivery.reasons()
        kept = (2, 2, 2) if self.has_checks else (2, 900, 2)
        added = [kept] if not adds else [kept, (4, 40, 4)] if self.has_unique else [kept, (3, 30, 2), (4, 40, 4)]
        assert [(1, 10, 1), *added] == server.fetch(f"SELECT * FROM {self._quoted(table)} ORDER BY 1")
        server.run(self.grant_delete.format(self._quoted(table)))
        gone = {key: [1], "deleted": [True]}
        delivered(server, tmp_path / "2", gone, table=table, identify_by=key, gone="delete")
        assert added == server.fetch(f"SELECT * FROM {self._quoted(table)} ORDER BY 1")

    def test_what_no_column_or_table_can_be_called_is_not_there(self, server: SqlServer, tmp_path: Path) -> None:
        """It is no name that is cut off, and no statement."""
        server.run(self.table)
        for at, name in enumerate(["x" * 64, "x" * 300, "a\0b", '"; DROP TABLE customers; --']):
            with pytest.raises(ConfigError, match="no column"):
                delivered(server, tmp_path / f"{at}-column", {"id": [1], name: [1]})
            with pytest.raises(ConfigError, match="no table"):
                delivered(server, tmp_path / f"{at}-table", {"id": [1]}, table=name)
        assert [(0,)] == server.fetch("SELECT count(*) FROM customers")

    @pytest.mark.parametrize("first", [1, 2])
    def test_a_unique_value_that_is_handed_on_is_there_by_the_next_run(
        self, server: SqlServer, tmp_path: Path, first: int
    ) -> None:
        """A row gives a value up and a new one takes it, in either order of the rows; each outcome is true."""
        server.run(f"{self.table}; INSERT INTO customers VALUES (1, 'a@x', 1)")
        wanted = {1: "b@x", 2: "a@x"}
        rows = {"id": [first, 3 - first], "email": [wanted[first], wanted[3 - first]]}
        for folder in ("1", "2"):
            delivery = delivered(server, tmp_path / folder, rows)
            there = dict(server.fetch("SELECT id, email FROM customers"))
            assert [place for place, n in enumerate(rows["id"], 1) if there.get(n) == wanted[n]] == delivery.numbers(
                Outcome.DELIVERED
            )
        assert wanted == there

    def test_no_log_line_holds_a_rows_value(
        self, server: SqlServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither of rows that fail, nor of the statements that try them."""
        caplog.set_level("DEBUG")
        server.run(f"{self.table}; INSERT INTO customers VALUES (9, 'planted@x', 1)")
        rows = {"id": [1, 2, 3], "email": ["planted@x", "planted.too@x", "planted" * 9], "score": [1, 424242, 1]}
        delivery = delivered(server, tmp_path, rows)
        assert self.refuses == len(delivery.failed())
        said = caplog.text + " ".join(f"{row.why.message}{row.why.field}" for row in delivery.failed())
        assert not [value for value in ("planted", "424242") if value in said]

    def test_a_server_without_tls_is_refused(self, server: SqlServer, tmp_path: Path) -> None:
        """Nothing is sent to it, the password least of all; the message has the next step."""
        heard: list[bytes] = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=self._speak, args=(listener, heard), daemon=True)
            thread.start()
            changes: dict[str, Any] = {"host": EnvText("localhost"), "port": listener.getsockname()[1]}
            with pytest.raises(DestinationRefusedError, match="TLS") as refused:
                delivered(server, tmp_path, {"id": [1]}, settings=changes)
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()
        assert refused.value.hint
        assert server.user.encode() not in b"".join(heard)

    def make_named(self, server: SqlServer, table: str, columns: tuple[str, str, str]) -> None:
        """A table with three numbers: a key, one with a check, one that is unique."""
        key, data, unique = map(self._quoted, columns)
        server.run(
            f"CREATE TABLE {self._quoted(table)} ({key} bigint PRIMARY KEY, {data} int CHECK ({data} < 900), "
            f"{unique} int UNIQUE)"
        )

    def _speak(self, listener: socket.socket, heard: list[bytes]) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.sendall(self.without_tls)
                    while piece := connection.recv(65_536):
                        heard.append(piece)

    def _quoted(self, name: str) -> str:
        return self.quote + name.replace(self.quote, self.quote * 2) + self.quote
