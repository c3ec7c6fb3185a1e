"""Rows that ClickHouse only adds: each is there once, whatever becomes of an answer or of the process."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.clickhouse.server import Clickhouse
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.destinations.sql.appends import BATCH, ROWS, EndedError, Ends
from reverse_etl_tests.destinations.sql.tables import Delivery

VISITS = "CREATE TABLE customers (name String, score Int32) ENGINE = MergeTree ORDER BY tuple()"
REMEMBERS = " SETTINGS non_replicated_deduplication_window = 100"
SECOND = {"match": "INSERT INTO .* FORMAT Arrow"}


@pytest.fixture(params=["before", "after"])
def lose(request: pytest.FixtureRequest) -> str:
    """Where the answer is lost: before the server has the rows, or after."""
    return str(request.param)


def appended(server: Clickhouse, folder: Path, time: FastClock | None = None) -> Delivery:
    """Slices of ten."""
    section = {"table": "customers", "write": "append"}
    return Delivery(server, folder, [BATCH], section, {"rows_per_transaction": 10}, time=time or FastClock())


@pytest.mark.thorough
def test_rows_are_there_once_where_the_table_remembers(server: Clickhouse, tmp_path: Path, lose: str) -> None:
    """The slice is sent again with its token, which the table drops if it has it."""
    server.engine = "MergeTree"
    server.client.command(VISITS + REMEMBERS)
    server.running.go_wrong(**SECOND, lose=lose)
    delivery = appended(server, tmp_path)
    assert 1 == delivery.deliver().retries
    assert ([*range(1, ROWS + 1)], []) == (delivery.numbers(Outcome.DELIVERED), delivery.failed())
    assert [(ROWS, ROWS)] == server.fetch("SELECT count(*), count(DISTINCT name) FROM customers")


def test_rows_are_there_once_after_the_end_of_the_process(server: Clickhouse, tmp_path: Path, lose: str) -> None:
    """The next one sends the slice again, as it was, under the same name."""
    server.engine = "MergeTree"
    server.client.command(VISITS + REMEMBERS)
    server.running.go_wrong(**SECOND, lose=lose)
    delivery = appended(server, tmp_path, Ends())
    with pytest.raises(EndedError):
        delivery.deliver()
    delivery.time = FastClock()
    delivery.deliver()
    assert ([*range(1, ROWS + 1)], []) == (delivery.numbers(Outcome.DELIVERED), delivery.failed())
    assert [(ROWS, ROWS)] == server.fetch("SELECT count(*), count(DISTINCT name) FROM customers")


def test_what_the_table_does_not_remember_is_in_doubt(server: Clickhouse, tmp_path: Path, lose: str) -> None:
    """Its rows are failed rows with that reason; all others are there."""
    server.engine = "MergeTree"
    server.client.command(VISITS)
    server.running.go_wrong(**SECOND, lose=lose)
    delivery = appended(server, tmp_path)
    delivery.deliver()
    assert dict.fromkeys(range(1, 11), ("in_doubt", "")) == delivery.reasons()
    assert [(ROWS if lose == "after" else ROWS - 10,)] == server.fetch("SELECT count(*) FROM customers")


def test_a_row_that_only_the_server_reads_is_found_by_halves(server: Clickhouse, tmp_path: Path) -> None:
    """Each half is an insert of its own; all others are there once."""
    server.engine = "MergeTree"
    server.client.command("CREATE TABLE customers (ip IPv4) ENGINE = MergeTree ORDER BY tuple()" + REMEMBERS)
    batch = pa.RecordBatch.from_pydict({"ip": ["10.0.0.1", "nowhere", "10.0.0.3"]})
    delivery = Delivery(server, tmp_path, [batch], {"table": "customers", "write": "append"})
    delivery.deliver()
    assert {2: ("wrong_value", "")} == delivery.reasons()
    assert [(2,)] == server.fetch("SELECT count(*) FROM customers")


def test_half_a_slice_in_doubt_is_sent_again_as_it_was(server: Clickhouse, tmp_path: Path) -> None:
    """By the next process, though more rows would go with it: with them it would have another name."""
    server.engine = "MergeTree"
    server.client.command("CREATE TABLE customers (ip IPv4) ENGINE = MergeTree ORDER BY tuple()" + REMEMBERS)
    batches = [
        pa.RecordBatch.from_pydict({"ip": ips})
        for ips in (["10.0.0.1", "nowhere", "10.0.0.3", "10.0.0.4"], ["10.0.0.5", "10.0.0.6"])
    ]
    # The slice, its first half, the halves of that; then the second half.
    server.running.go_wrong_with({**SECOND, "times": 4}, {**SECOND, "times": 1, "lose": "after"})
    section = {"table": "customers", "write": "append"}
    delivery = Delivery(server, tmp_path, batches, section, {"rows_per_transaction": 4}, time=Ends())
    with pytest.raises(EndedError):
        delivery.deliver()
    assert [1] == delivery.numbers(Outcome.DELIVERED)
    delivery.time = FastClock()
    delivery.deliver()
    assert ([1, 3, 4, 5, 6], {2: ("wrong_value", "")}) == (delivery.numbers(Outcome.DELIVERED), delivery.reasons())
    assert [(5, 5)] == server.fetch("SELECT count(*), count(DISTINCT ip) FROM customers")
