"""Our process is killed with -9: before any line of its own code, the close and its writing included."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import orjson

import reverse_etl
from reverse_etl.ledger.journal import JOURNAL_FILE
from reverse_etl.report import Status
from reverse_etl.run.close import close
from reverse_etl.run.record import SyncRun
from reverse_etl.state.run_history import find_run
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.refusals import BATCH
from reverse_etl_tests.faults.runs import Case, Ended, World
from reverse_etl_tests.faults.shop import KINDS
from reverse_etl_tests.faults.truth import a_clean_run_mends_everything, books_are_true, everything_arrived

_OURS: Final = str(Path(reverse_etl.__file__).parent)
_POINTS: Final = 14
_IN_CLOSE: Final = 5
"""So many of a kind's kill points lie in the close."""

_ROWS, _ITEMS, _IN_FLIGHT = 24, 3, 3

_Traced = Callable[[FrameType, str, Any], Any]


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of our code that a run executes, in all of its threads: until the close, and in it."""

    before_close: int
    in_close: int


_counted: dict[tuple[str, bool, bool], Lines] = {}
"""By kind of sync, whether some rows fail, and whether the sync compares."""


@family(len(KINDS) * _POINTS, at_once=10)
def killed(world: World, chance: random.Random, seed: int) -> None:
    """Our process is killed with -9 before a line of its code, at 70 points from the first read to the close's end."""
    kind_number, point = seed % len(KINDS), seed // len(KINDS)
    some_fail = bool(point % 2)
    kind = KINDS[kind_number]
    key = kind, some_fail, world.compares
    if key not in _counted:
        case, _, _ = _case(world, chance, kind, some_fail)
        # What is imported once for all runs is none of a run's lines.
        case.run()
        _counted[key] = lines_of_a_whole_run(_case(world, chance, kind, some_fail)[0])
    case, refused, rejected = _case(world, chance, kind, some_fail)
    run, rows = case.start(), case.shop.rows()
    first_in_close = _POINTS - _IN_CLOSE
    share = kind_number / len(KINDS)
    if point < first_in_close:
        kill(case, run, int(_counted[key].before_close * (point + share) / first_in_close), in_close=False)
    else:
        kill(case, run, int(_counted[key].in_close * (point - first_in_close + share) / _IN_CLOSE), in_close=True)
    known = find_run(case.store, run.run_id)
    ended = known is not None and known.status is not Status.RUNNING
    if ended:
        ledger = Ended(run.run_id, run.root_run_id, rows, known, None, 0)
        books_are_true(case, ledger, refused=refused, rejected=rejected)
    else:
        assert last_sync_time(case.store, case.name) == 0
    before = _taken(case)
    if not ended and (run.folder.parts("rows").folder / JOURNAL_FILE).exists() and chance.random() < 0.4:
        further = replace(case.run(root=run.run_id), rows=rows)
    else:
        further = case.run()
    report = books_are_true(case, further, refused=refused, rejected=rejected)
    assert report.status is (Status.SOME_ROWS_FAILED if some_fail else Status.COMPLETED)
    if not (ended and some_fail):
        again = before & (_taken(case) - before)
        assert again.total() <= _IN_FLIGHT * _ITEMS, f"sent again: {again}"
    known = find_run(case.store, run.run_id)
    assert known is None or known.status is not Status.RUNNING
    if some_fail:
        with case.shop.changing() as database:
            database.execute("UPDATE shop SET plan = 'mended' WHERE length(plan) > 1000")
        a_clean_run_mends_everything(case)
    else:
        everything_arrived(case)


def _case(world: World, chance: random.Random, kind: str, some_fail: bool) -> tuple[Case, set[str], set[str]]:
    """A sync, and the identifiers of rows that are refused and that a check rejects: some or none."""
    case = world.case(kind, chance, rows=_ROWS, items=_ITEMS, in_flight=_IN_FLIGHT)
    if not some_fail:
        return case, set(), set()
    names = [row.identifier(kind) for row in case.shop.rows()]
    refused, rejected = {names[4], names[17]}, {names[10]}
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = ? WHERE rowid = 11", ["x" * 1001])
    case.sandbox.faults([{"match": BATCH, "always": True, "do": {"refuse_items": {"ids": sorted(refused)}}}])
    return case, refused, rejected


def _taken(case: Case) -> Counter[bytes]:
    """How often each item was in a request that the workspace took."""
    return Counter(
        orjson.dumps(item)
        for request in case.sandbox.requests()
        if request["path"] == BATCH["path"] and request["status"] in (200, 207)
        for item in request["body"]["batch"]
    )


def lines_of_a_whole_run(case: Case) -> Lines:
    """Counts them in a process of its own, which does everything that a run does."""
    reading, writing = os.pipe()
    run = case.start()
    child = os.fork()
    if child == 0:
        try:
            before_close, in_close = itertools.count(), itertools.count()
            _trace(lambda closing: next(in_close if closing else before_close))
            case.through(run, lambda _: None)
            os.write(writing, b"%d %d" % (next(before_close), next(in_close)))
        finally:
            os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as told:
        before_close, in_close = told.read().split()
    assert status == 0
    return Lines(int(before_close), int(in_close))


def kill(case: Case, run: SyncRun, lines: int, *, in_close: bool) -> None:
    """Runs in a process that is killed once so many lines of our code were executed, of the close alone or from all."""
    child = os.fork()
    if child == 0:
        try:
            executed = itertools.count()

            def count(closing: bool) -> None:
                if (closing or not in_close) and next(executed) >= lines:
                    os.kill(os.getpid(), signal.SIGKILL)

            _trace(count)
            case.through(run, lambda _: None)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the run ended before line {lines}"
    assert os.WTERMSIG(status) == signal.SIGKILL


def _trace(count: Callable[[bool], object]) -> None:
    """Tells of each line of our code before it is executed, and whether the run is being closed."""
    ours: dict[CodeType, bool] = {}
    closing = False

    def line(frame: FrameType, event: str, argument: Any) -> _Traced:
        if event == "line":
            count(closing)
        return line

    def call(frame: FrameType, event: str, argument: Any) -> _Traced | None:
        nonlocal closing
        code = frame.f_code
        if code not in ours:
            ours[code] = code.co_filename.startswith(_OURS)
        closing = closing or code is close.__code__
        return line if ours[code] else None

    threading.settrace(call)
    sys.settrace(call)
