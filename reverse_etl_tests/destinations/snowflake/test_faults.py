"""Snowflake in trouble: the table and the ledger agree afterwards.

What the suite of the other engines does by triggers and by cutting connections of a protocol of their own is done here
by answers of the service.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest

from reverse_etl.config.environment import EnvText
from reverse_etl.errors import DestinationRefusedError, DestinationUnavailableError
from reverse_etl.pacing.retry import RetryPolicy
from reverse_etl.report import Outcome
from reverse_etl_tests import warm
from reverse_etl_tests.destinations.snowflake.server import ROLE, Snowflake
from reverse_etl_tests.destinations.snowflake.test_run import crm
from reverse_etl_tests.destinations.sql.conformance import PEOPLE, TABLE
from reverse_etl_tests.destinations.sql.faults import Waits
from reverse_etl_tests.destinations.sql.runs import stored
from reverse_etl_tests.destinations.sql.tables import Delivery, Prepared
from reverse_etl_tests.project import Project, fill
from reverse_etl_tests.servers.cut import Moment, cut
from reverse_etl_tests.servers.sandbox import wait_until

__all__ = ["crm"]

SECTION: Final = {"table": "customers", "identify_by": "id"}
LOCKED: Final = (
    "Statement '01b2' has locked table 'CUSTOMERS' in transaction 17 and this lock has not yet been released."
)
TROUBLES: Final = {
    ("000625", LOCKED): "the table was locked by another transaction for longer than lock_timeout",
    ("000604", "SQL execution canceled"): "the service ended the statement",
    ("000630", "Statement reached its statement or warehouse timeout"): "longer than query_timeout",
    ("100090", "Duplicate row detected during DML action"): "another writer changed the table meanwhile",
    ("390112", "Your session has expired. Please login again."): "the connection was lost",
}


def people(server: Snowflake, folder: Path, **rows: str) -> Delivery:
    """Three rows for ``customers``, which exists."""
    server.run(TABLE)
    return Delivery(server, folder, [pa.RecordBatch.from_pydict(PEOPLE)], SECTION | rows)


@pytest.mark.parametrize(
    "trouble", [pytest.param(each, marks=pytest.mark.thorough if each[0] != "000625" else ()) for each in TROUBLES]
)
def test_trouble_is_tried_again(server: Snowflake, tmp_path: Path, trouble: tuple[str, str]) -> None:
    """It is no row's fault; the slice is staged and written again."""
    delivery = people(server, tmp_path)

    async def trouble_begins(_: object) -> None:
        server.running.behave(failing={"MERGE": (2, *trouble)})

    done = delivery.deliver(around=trouble_begins)
    assert (3, 2) == (done.counts.delivered, done.retries)
    assert [(1, 10), (2, 20), (3, 30)] == server.fetch("SELECT id, score FROM customers ORDER BY id")


@pytest.mark.thorough
def test_trouble_that_lasts_uses_up_the_budget(server: Snowflake, tmp_path: Path) -> None:
    """Rows are undelivered, the reason is named, and nothing was written."""
    delivery = people(server, tmp_path)

    async def trouble_begins(_: object) -> None:
        server.running.behave(failing={"MERGE": (1_000, "000625", LOCKED)})

    with pytest.raises(DestinationUnavailableError, match="locked by another transaction"):
        delivery.deliver(around=trouble_begins, policy=RetryPolicy(budget_s=60))
    assert ([1, 2, 3], []) == (delivery.numbers(Outcome.UNDELIVERED), server.fetch("SELECT * FROM customers"))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("ruin", "words"),
    [
        ("DROP TABLE customers", "the table is gone"),
        ("ALTER TABLE customers DROP COLUMN score", "a column is gone"),
        (f"REVOKE SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA CRM.PUBLIC FROM ROLE {ROLE}", "the table is gone, or"),
        (f"REVOKE INSERT ON ALL TABLES IN SCHEMA CRM.PUBLIC FROM ROLE {ROLE}", "lacks a right"),
    ],
)
def test_what_changes_after_the_start_ends_the_run(server: Snowflake, tmp_path: Path, ruin: str, words: str) -> None:
    """The table, a column or a right is gone: no row is to blame, all are undelivered."""
    delivery = people(server, tmp_path)

    async def ruined(_: object) -> None:
        server.run(ruin)

    with pytest.raises(DestinationRefusedError, match=words) as raised:
        delivery.deliver(around=ruined)
    assert raised.value.hint
    assert [1, 2, 3] == delivery.numbers(Outcome.UNDELIVERED)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("100072", "null"),
        pytest.param("100038", "wrong_value", marks=pytest.mark.thorough),
        pytest.param("100999", "refused", marks=pytest.mark.thorough),
    ],
)
def test_a_row_that_makes_the_statement_fail_is_found_by_halves(
    server: Snowflake, tmp_path: Path, number: str, reason: str
) -> None:
    """What could not be seen before; no word of the service is passed on."""
    delivery = people(server, tmp_path)

    async def fails(_: object) -> None:
        # The slice, its first half of one row; then nothing.
        server.running.behave(failing={"COPY INTO": (2, number, "Numeric value 'planted' is not recognized")})

    if reason == "refused":
        with pytest.raises(DestinationRefusedError, match="error 100999"):
            delivery.deliver(around=fails)
        return
    delivery.deliver(around=fails)
    assert {1: (reason, "")} == delivery.reasons()
    assert "planted" not in " ".join(row.why.message for row in delivery.failed())
    assert [(2,), (3,)] == server.fetch("SELECT id FROM customers ORDER BY id")


@pytest.mark.thorough
@pytest.mark.parametrize("late_s", [0, 0.5], ids=["while it runs", "before its id is known"])
def test_an_interrupt_ends_the_statement(server: Snowflake, tmp_path: Path, late_s: float) -> None:
    """At once; the slice is written afterwards as if nothing had been."""
    delivery = people(server, tmp_path)
    done = []

    async def interrupted(destination: Prepared) -> None:
        server.running.behave(slow={"MERGE": 30}, started_late_s=late_s)
        batch = destination.fit(next(delivery.parts.batches())).batch
        writing = asyncio.create_task(destination.write(batch))
        while not any("MERGE" in sql for sql in server.running.seen()["statements"]):
            await asyncio.sleep(0.02)
        began = time.monotonic()
        writing.cancel()
        await asyncio.wait({writing})
        done.append((writing.cancelled(), time.monotonic() - began < 30))
        server.running.behave()

    delivery.deliver(around=interrupted)
    assert [(True, True)] == done
    assert [3, 0] == server.running.seen()["merged"]


@pytest.mark.thorough
@pytest.mark.parametrize("side", [0, 1])
def test_a_connection_that_is_cut_loses_and_doubles_nothing(server: Snowflake, tmp_path: Path, side: int) -> None:
    """After a few bytes of either side; ``add_only``: a slice that is written twice would be called excluded."""
    server.run("CREATE TABLE customers (id bigint, score int)")
    batch = pa.RecordBatch.from_pydict({"id": [*range(1, 21)], "score": [7] * 20})
    for after in (700, 6_000, 12_000):
        server.run("TRUNCATE TABLE customers")
        with cut(server.running.port, Moment(after, side)) as relay:
            settings = {"port": relay.port, "host": EnvText("127.0.0.1"), "rows_per_transaction": 10}
            section = SECTION | {"write": "add_only"}
            delivery = Delivery(server, tmp_path / str(after), [batch], section, settings, time=Waits())
            delivery.deliver(policy=RetryPolicy(away_s=600))
            assert 2 <= len(relay.connections)
        assert [*range(1, 21)] == delivery.numbers(Outcome.DELIVERED)
        assert [(20, 20)] == server.fetch("SELECT count(*), count(DISTINCT id) FROM customers")


@pytest.mark.thorough
def test_a_run_after_kill_9_writes_only_the_rest(crm: Project, server: Snowflake) -> None:
    """What was written and noted is not written again; nothing is lost or doubled, and nothing temporary is left."""
    fill(crm.folder / "shop.db", [(n, f"p{n}@x", "free") for n in range(1, 41)])
    connections = (crm.folder / "syncs" / "connections.yaml").read_text()
    crm.write("connections.yaml", f"{connections}    rows_per_transaction: 10\n")
    server.running.behave(slow={"MERGE": 0.3})
    process = warm.started("run", "crm_customers", "--json", folder=crm.folder, environment=crm.env())
    wait_until(lambda: len(stored(server)) >= 10, timeout_s=60)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert 10 <= len(stored(server)) < 40
    server.running.behave()
    code, report = crm.run("crm_customers")
    assert (0, "completed", 40) == (code, report["status"], report["rows"]["delivered"]), report
    assert [(40, 40)] == server.fetch("SELECT count(*), count(DISTINCT id) FROM customers")
    assert sum(server.running.seen()["merged"]) <= 30
    assert ["CUSTOMERS"] == [row[1] for row in server.fetch("SHOW TABLES IN SCHEMA CRM.PUBLIC")]


@pytest.mark.thorough
def test_rows_that_are_not_there_afterwards_are_refused(server: Snowflake, tmp_path: Path) -> None:
    """As behind a row access policy: a statement that succeeds is not believed."""
    delivery = people(server, tmp_path)

    async def hides(_: object) -> None:
        server.running.behave(swallowed=["MERGE"])

    delivery.deliver(around=hides)
    assert dict.fromkeys((1, 2, 3), ("not_applied", "")) == delivery.reasons()
