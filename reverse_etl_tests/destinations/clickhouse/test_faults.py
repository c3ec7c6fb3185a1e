"""ClickHouse in trouble, and the way to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from reverse_etl.errors import DestinationRefusedError
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.clickhouse.server import Clickhouse
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.faults import SECTION, SqlFaults
from reverse_etl_tests.destinations.sql.faulty import FaultyServer
from reverse_etl_tests.destinations.sql.tables import Delivery, Prepared, delivered

INSERTS = r"INSERT INTO `?crm`?\.`?customers`? (?!.* WHERE 0$)"
RUINS = {
    "DROP TABLE customers": "error 60",
    "ALTER TABLE customers DROP COLUMN score": "error (16|47)",
}


@dataclass(slots=True)
class FaultyClickhouse(Clickhouse, FaultyServer):
    """In trouble on purpose."""

    lasting: ClassVar[str] = "243"
    troubles: ClassVar[Mapping[str, str]] = {
        "252": "too many parts",
        "241": "memory is full",
        "159": "max_execution_time",
        "202": "as many statements",
        "242": "only reads",
        "243": "disk is full",
        "319": "does not know what became",
        "999": "keeper",
    }

    def raise_first(self, times: int, trouble: str, *, table: str = "customers") -> None:  # noqa: ARG002
        """By the server itself."""
        self.running.go_wrong(INSERTS, times, **{"raise": int(trouble)})

    def end_first_sessions(self, times: int, *, table: str = "customers") -> None:  # noqa: ARG002
        """With no answer."""
        self.running.go_wrong(INSERTS, times, lose="before")


class TestFaults(SqlFaults):
    """There are neither locks of rows nor transactions: what is about them is about other engines."""

    goodbye_bytes = 0
    ruins: ClassVar[Mapping[str, str]] = RUINS
    test_a_row_that_is_locked_is_waited_for_no_longer_than_lock_timeout = None
    test_an_interrupt_ends_what_the_server_is_waited_for = None
    test_a_deadlock_with_another_writer_ends_well = None

    @pytest.fixture
    def server(self, server: Clickhouse) -> FaultyClickhouse:
        """In trouble on purpose."""
        return FaultyClickhouse(server.running, server.port, server.client)

    @pytest.fixture(params=[*FaultyClickhouse.troubles])
    def trouble(self, request: pytest.FixtureRequest) -> str:
        """A code."""
        return str(request.param)

    @pytest.fixture(params=[*RUINS])
    def ruin(self, request: pytest.FixtureRequest) -> str:
        """A statement."""
        return str(request.param)

    @pytest.mark.thorough
    def test_a_connection_that_is_cut_anywhere_loses_and_doubles_nothing(
        self, plain: FaultyClickhouse, tmp_path: Path
    ) -> None:
        """As the suite says, without TLS, which it counts the bytes of."""
        self._sampled(plain, tmp_path, 3)

    @pytest.mark.thorough
    def test_a_connection_that_is_cut_at_many_more_places(self, plain: FaultyClickhouse, tmp_path: Path) -> None:
        """The same at many places of either side."""
        self._sampled(plain, tmp_path, 60)

    @pytest.fixture
    def plain(self, server: FaultyClickhouse) -> FaultyClickhouse:
        """The same server, where it has no TLS."""
        server.port = server.running.plain_port
        return server


@pytest.mark.parametrize("lose", ["before", "after"])
@pytest.mark.parametrize("write", ["add_and_update", "add_only"])
def test_an_insert_without_an_answer_is_in_the_table_once(
    server: Clickhouse, tmp_path: Path, lose: str, write: str
) -> None:
    """And counted once by a materialised view; rows of ours are delivered, not mistaken for others'."""
    server.run(TABLE)
    view = "CREATE MATERIALIZED VIEW counted ENGINE = MergeTree ORDER BY tuple()"
    server.run(f"INSERT INTO customers VALUES (2, 'old@x', 5, 'theirs'); {view} AS SELECT id FROM customers")
    server.running.go_wrong(INSERTS, lose=lose)
    delivery = delivered(server, tmp_path, PEOPLE, write=write)
    updated = write == "add_and_update"
    assert ([1, 2, 3] if updated else [1, 3], []) == (delivery.numbers(Outcome.DELIVERED), delivery.failed())
    assert [(2, "b@x" if updated else "old@x", "theirs")] == server.fetch(
        "SELECT id, email, note FROM customers WHERE id = 2"
    )
    assert sorted([(1,), (3,), *([(2,)] if updated else [])]) == sorted(server.fetch("SELECT id FROM counted"))


def test_a_statement_that_still_runs_is_waited_for(server: Clickhouse, tmp_path: Path) -> None:
    """Its rows are not there yet: another insert would add them again to what looks at inserts."""
    server.run(TABLE)
    running = {"match": "FROM system.processes", "instead": "SELECT 1 AS running FORMAT Arrow", "times": 3}
    server.running.go_wrong_with({"match": INSERTS, "lose": "before", "times": 1}, running)
    delivery = Delivery(server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], SECTION)
    done = delivery.deliver()
    assert (3, 4) == (done.counts.delivered, done.retries)
    asked = [each for each in server.running.requests() if "system.processes" in each["statement"]]
    assert (4, 1) == (len(asked), len({each["statement"] for each in asked}))


def test_an_interrupt_ends_what_the_server_is_waited_for(server: Clickhouse, tmp_path: Path) -> None:
    """At once; the slice is written afterwards as if nothing had been."""
    server.run(TABLE)
    server.running.go_wrong(INSERTS, hang=30)
    delivery = Delivery(server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], SECTION)
    done = []

    async def interrupted(destination: Prepared) -> None:
        writing = asyncio.create_task(destination.write(destination.fit(next(delivery.parts.batches())).batch))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        writing.cancel()
        await asyncio.wait({writing})
        done.append((writing.cancelled(), time.monotonic() - began < 30))

    delivery.deliver(around=interrupted)
    assert [(True, True)] == done
    assert [(1, 10), (2, 20), (3, 30)] == server.fetch("SELECT id, score FROM customers ORDER BY id")


def test_the_client_tries_nothing_twice_by_itself(server: Clickhouse, tmp_path: Path) -> None:
    """Each attempt is counted, and looks for the rows first."""
    server.run(TABLE)
    server.running.go_wrong(INSERTS, 2, lose="before")
    delivery = Delivery(server, tmp_path, [pa.RecordBatch.from_pydict(PEOPLE)], SECTION)
    assert 2 == delivery.deliver().retries
    statements = [each["statement"] for each in server.running.requests()]
    inserts = [at for at, each in enumerate(statements) if each.startswith("INSERT") and "FORMAT Arrow" in each]
    assert 3 == len(inserts)
    assert all("FROM reverse_etl_stage" in statements[at - 1] for at in inserts)


def test_tokens_tell_runs_and_slices_apart(server: Clickhouse, tmp_path: Path) -> None:
    """Rows that are there again after they were deleted are written again, though the table remembers inserts."""
    server.run(TABLE)
    for folder in ("1", "2"):
        delivery = Delivery(
            server, tmp_path / folder, [pa.RecordBatch.from_pydict(PEOPLE)], SECTION, {"rows_per_transaction": 2}
        )
        delivery.deliver()
        assert 3 == len(server.fetch("SELECT id FROM customers"))
        server.run("DELETE FROM customers WHERE 1")
    parameters = [each["parameters"] for each in server.running.requests()]
    tokens = [each["insert_deduplication_token"] for each in parameters if "insert_deduplication_token" in each]
    assert (4, 4) == (len(tokens), len(set(tokens)))
    assert all(each["input_format_null_as_default"] == "0" for each in parameters if "insert_deduplicate" in each)


@pytest.mark.parametrize(("code", "words"), [(497, "lacks a right"), (164, "may only read"), (48, "refuses the")])
def test_what_lasts_ends_the_run(server: Clickhouse, tmp_path: Path, code: int, words: str) -> None:
    """Rows are undelivered, and the server's own text is not passed on."""
    server.run(TABLE)
    server.running.go_wrong(INSERTS, 9, **{"raise": code})
    with pytest.raises(DestinationRefusedError, match=words) as raised:
        delivered(server, tmp_path, PEOPLE)
    assert f"error {code}" in str(raised.value)
    assert "planted" not in f"{raised.value}{raised.value.__cause__}{raised.value.hint}"


@pytest.mark.parametrize(
    ("match", "rows", "right"),
    [
        ("SELECT .* WHERE 0$", {}, "SELECT"),
        ("INSERT .* WHERE 0$", {}, "INSERT"),
        ("CHECK GRANT", {"gone": "delete"}, ""),
    ],
)
def test_a_right_that_is_missing_is_named_before_the_run(
    server: Clickhouse, tmp_path: Path, match: str, rows: dict[str, Any], right: str
) -> None:
    """With the GRANT to ask for; a server that cannot be asked about a right is not."""
    server.run(TABLE)
    server.running.go_wrong(f"^{match}", 9, **{"raise": 497})
    if not right:
        assert [1, 2, 3] == delivered(server, tmp_path, PEOPLE, **rows).numbers(Outcome.DELIVERED)
        return
    with pytest.raises(DestinationRefusedError, match="user writer lacks rights") as raised:
        delivered(server, tmp_path, PEOPLE, **rows)
    assert f"GRANT {right} ON `crm`.`customers` TO `writer`" in str(raised.value.hint)
    assert [] == server.fetch("SELECT * FROM customers")


def test_nothing_of_the_client_is_logged(server: Clickhouse, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what the server answers nor that a connection was lost: both are reported by the run."""
    server.run(TABLE)
    server.running.go_wrong(INSERTS, 2, **{"raise": 241})
    delivered(server, tmp_path / "1", PEOPLE)
    server.running.go_wrong(INSERTS, lose="after")
    delivered(server, tmp_path / "2", PEOPLE | {"score": [1, 2, 3]})
    assert [] == [record for record in caplog.records if record.name.startswith(("clickhouse_connect", "urllib3"))]
