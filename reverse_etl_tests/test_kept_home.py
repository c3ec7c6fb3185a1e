"""Home folders that earlier releases wrote themselves, kept as they were: this one reads and continues them.

``two_streams``: its state has schema 0010, and its changesets count rows and relationships in keys of their own. One
run of nine people completed; then eight of them changed, and a run of these stopped after two.

``compared``: its state has schema 0015, and its sync compares. Nine people were acknowledged; then two changed, one of
which was refused; then one changed again, and one vanished, and a run stopped without an answer.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import sqlite3
import tarfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from reverse_etl.destinations import kind
from reverse_etl.report import Counts, Status
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.store import open_store
from reverse_etl_tests.faults.runs import Case, World
from reverse_etl_tests.faults.truth import everything_arrived
from reverse_etl_tests.servers.sandbox import RunningSandbox

KEPT: Final = Path(__file__).with_name("kept")
ENVIRONMENTS: Final = {"two_streams": "us 169473418838297", "compared": "us 268989541228399"}
"""What the workspaces called themselves that acknowledged their rows."""

_LONG_AGO: Final = 1_700_000_000
_TIMES: Final = {"since", "started_at", "read_from", "reaches_to"}


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """The kept home of a sync that sends what it reads."""
    return kept(tmp_path, sandbox, "two_streams")


def kept(folder: Path, sandbox: RunningSandbox, name: str) -> Case:
    """A kept home and its source, moved to now: a changeset of yesterday would be read again."""
    home = Home.at(folder / "home")
    world = World(folder, sandbox, home, open_store(home.state_url), compares=name == "compared")
    case = world.case("people", random.Random(1), rows=9, items=2)  # noqa: S311 - repeatable
    shutil.rmtree(home.path)
    with tarfile.open(KEPT / f"{name}.tar.gz") as packed:
        packed.extractall(folder / "kept", filter="data")
    (folder / "kept" / "home").rename(home.path)
    (folder / "kept" / "shop.db").replace(case.shop.path)
    later = int(time.time()) - int((home.path / "kept_at").read_text()) - 60
    was, known_as = ENVIRONMENTS[name], asyncio.run(kind("customerio").ask(case.workspace)).environment
    for path in home.path.glob("*/*/*/*.json"):
        path.write_bytes(orjson.dumps(_moved(orjson.loads(path.read_bytes()), later, (was, known_as))))
    with closing(sqlite3.connect(home.path / "state.db")) as state, state:
        state.execute(
            "UPDATE reverse_etl_sync SET last_sync_time = last_sync_time + ?, reaches_to = reaches_to + ?", [later] * 2
        )
        state.execute("UPDATE reverse_etl_run SET since = since + ? WHERE since > 0", [later])
        for table, column in (("sync", "recipient"), ("sync", "feed"), ("run", "recipient")):
            state.execute(f"UPDATE reverse_etl_{table} SET {column} = replace({column}, ?, ?)", [was, known_as])
    with case.shop.changing() as shop:
        shop.execute("UPDATE shop SET updated_at = updated_at + ? WHERE updated_at > ?", [later, _LONG_AGO])
    case.store = open_store(home.state_url)
    case._numbers = itertools.count(10)
    return case


def _moved(value: Any, later: int, names: tuple[str, str]) -> Any:
    """What a file of a home holds, with its times later and another name of the workspace."""
    if isinstance(value, dict):
        return {
            key: each + later if key in _TIMES and isinstance(each, int) and each else _moved(each, later, names)
            for key, each in value.items()
        }
    return value.replace(*names) if isinstance(value, str) else value


def test_its_history_is_read(case: Case) -> None:
    """Both runs, newest first, with what became of their rows."""
    stopped, completed = list_runs(case.store)
    assert (Status.FAILED, {"rows": Counts(8, 2, undelivered=6)}) == (stopped.status, stopped.streams)
    assert (Status.COMPLETED, {"rows": Counts(9, 9)}) == (completed.status, completed.streams)


def test_its_stopped_run_is_continued(case: Case) -> None:
    """The two rows that were delivered are not sent again, and the others are."""
    report = case.run().report
    assert report is not None, "the run is not in the history"
    assert (Status.COMPLETED, Counts(8, 8), "") == (report.status, report.total, report.message)
    assert 6 == sum(each["items"] for each in case.sandbox.requests() if each["path"] == "/api/v2/batch")
    everything_arrived(case, but=("p1", "p2", "p3"))


@pytest.mark.thorough
def test_what_was_acknowledged_is_read(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """Also of the run that stopped: the row without an answer is sent though it is back at what was acknowledged."""
    case = kept(tmp_path, sandbox, "compared")
    with case.shop.changing() as shop:
        shop.execute("UPDATE shop SET plan = 'silver' WHERE id = 'p3'")
    report = case.run().report
    assert report is not None
    assert (Status.COMPLETED, Counts(8, delivered=2, unchanged=6), "") == (report.status, report.total, report.message)
    assert {"p3": "silver", "p5": "silver"} == {each["id"]: each["attributes"]["plan"] for each in sandbox.people()}
    again = case.run().report
    assert again is not None
    assert Counts(8, unchanged=8) == again.total
