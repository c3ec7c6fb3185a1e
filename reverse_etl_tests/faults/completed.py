"""A sync that has completed once, for tests of what its next runs make of a change around it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

from reverse_etl.report import RunReport, Status
from reverse_etl.state.home import Home
from reverse_etl_tests.faults.runs import Case, Ended, World
from reverse_etl_tests.fresh_store import fresh_store
from reverse_etl_tests.servers.sandbox import RunningSandbox

ROWS: Final = 9


def completed_once(folder: Path, sandbox: RunningSandbox) -> Case:
    """People in SQLite, where the database's clock is this machine's; two rows a request, one after the other."""
    home = Home.at(folder / "home")
    world = World(folder, sandbox, home, fresh_store(home))
    case = world.case("people", random.Random(1), rows=ROWS, items=2, in_flight=1)  # noqa: S311 - repeatable
    assert Status.COMPLETED is ended(case.run()).status
    return case


def ended(run: Ended) -> RunReport:
    """How a run ended."""
    assert run.report is not None, run.error
    return run.report
