"""Events that have become too old since they were read are not sent by the run that continues another one."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reverse_etl.report import Status
from reverse_etl.state.home import Home
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.runs import World
from reverse_etl_tests.faults.shop import FIRST_EVENT_AT
from reverse_etl_tests.fresh_store import fresh_store
from reverse_etl_tests.servers.sandbox import RunningSandbox
from reverse_etl_tests.simulated_clock import simulated_clock

BATCH = {"path": "/api/v2/batch"}
BEGINS = datetime.fromtimestamp(FIRST_EVENT_AT, UTC) + timedelta(hours=10)
ROWS = 9


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("max_age", "hours", "resumed", "sent"),
    [("1d", 20, False, 4), ("1d", 20, True, 4), ("1d", 2, False, ROWS), (None, 20, False, ROWS)],
)
def test_a_guard_holds_when_rows_are_sent(
    tmp_path: Path, sandbox: RunningSandbox, max_age: str | None, hours: int, resumed: bool, sent: int
) -> None:
    """By the next run or by Dagster's re-execution: those that were sent stay sent, the others are left out."""
    with simulated_clock(BEGINS) as clock:
        home = Home.at(tmp_path / "home")
        world = World(tmp_path, sandbox, home, fresh_store(home))
        section = {"max_age": max_age} if max_age else {}
        case = world.case("events", random.Random(1), rows=ROWS, items=2, in_flight=1, section=section)  # noqa: S311
        sandbox.faults([{"match": BATCH, "skip": 2, "always": True, "do": {"status": 401}}])
        stopped = case.run()
        assert (Status.FAILED, 4) == (ended(stopped).status, ended(stopped).rows.delivered)
        sandbox.clear_faults()
        clock.now += timedelta(hours=hours)
        report = ended(case.run(root=stopped.root_run_id if resumed else ""))
        assert Status.COMPLETED is report.status
        assert (sent, ROWS - sent) == (report.rows.delivered, report.rows.excluded)
        assert sent == len(sandbox.events())
