"""Answers that settle nothing: too many requests, a server's fault, what cannot be read, what comes too late."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from time import time
from typing import Any, Final

from reverse_etl.errors import DestinationUnavailableError
from reverse_etl.report import Status
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.refusals import BATCH, resumes
from reverse_etl_tests.faults.runs import Case, World
from reverse_etl_tests.faults.shop import KINDS
from reverse_etl_tests.faults.truth import a_clean_run_mends_everything, books_are_true, everything_arrived

Rule = dict[str, Any]

_CUT_OFF: Final = ("", '{"errors":[{"batch_index":0', '{"errors":', "<html><body>207</body></html>")
"""Bodies beside 207 that are no JSON."""


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """A variable of this process for the length of a block."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def outlasts(case: Case, rules: list[Rule]) -> None:
    """Checks that a run completes in spite of faults that end, and that a further run changes nothing."""
    case.sandbox.faults(rules)
    report = books_are_true(case, case.run())
    assert report.status is Status.COMPLETED
    everything_arrived(case)
    a_clean_run_mends_everything(case)


def gives_up(case: Case, chance: random.Random, rules: list[Rule]) -> None:
    """Checks that a run ends when faults do not, and that everything is mended by resuming it or by the next run."""
    case.sandbox.faults(rules)
    first = case.run()
    report = books_are_true(case, first)
    assert (report.status, report.exit_code, type(first.error)) == (Status.FAILED, 5, DestinationUnavailableError)
    case.sandbox.clear_faults()
    if chance.random() < 0.5:
        resumes(case, first)
    a_clean_run_mends_everything(case)


def spoilt(chance: random.Random, do: Any, *, path: dict[str, str] = BATCH) -> list[Rule]:
    """One to three bursts of a fault, each after some good requests; ``do`` makes one fault."""
    return [
        {"match": path, "skip": chance.randint(0, 4), "times": chance.randint(1, 4), "do": do()}
        for _ in range(chance.randint(1, 3))
    ]


def _holds(world: World, chance: random.Random, seed: int, do: Any, **chosen: Any) -> None:
    """Nine times the faults end; each tenth time they do not."""
    case = world.case(KINDS[seed % len(KINDS)], chance, **chosen)
    if seed % 10 == 9:
        gives_up(case, chance, [{"match": BATCH, "skip": chance.randint(0, 1), "always": True, "do": do()}])
    else:
        outlasts(case, spoilt(chance, do))


@family(40)
def too_many_requests(world: World, chance: random.Random, seed: int) -> None:
    """Storms of 429, without ``Retry-After``, with seconds, with a date, with nonsense; each tenth never ends."""

    def do() -> Rule:
        waits = [None, 0, 1, 8, formatdate(time() + 5, usegmt=True), "soon", "-1"]
        wait = chance.choice(waits)
        return {"status": 429, **({} if wait is None else {"retry_after": wait})}

    _holds(world, chance, seed, do)


@family(60)
def server_errors(world: World, chance: random.Random, seed: int) -> None:
    """Bursts of 408, 500, 502, 503 and 504, before or after the rows were applied; each tenth never ends."""

    def do() -> Rule:
        return {"status": chance.choice([408, 500, 502, 503, 504]), "apply": chance.random() < 0.5}

    _holds(world, chance, seed, do)


@family(40)
def unreadable_answers(world: World, chance: random.Random, seed: int) -> None:
    """Rows applied, but the answer is cut off, empty or HTML, beside 200 or 207; each tenth never ends."""

    def do() -> Rule:
        return chance.choice(
            [{"truncate_body": True}, {"not_json": True}]
            + [{"status": 207, "apply": True, "body": body} for body in _CUT_OFF]
        )

    _holds(world, chance, seed, do)


@family(16, at_once=8)
def late_answers(world: World, chance: random.Random, seed: int) -> None:
    """Answers that come later than the time-out, the rows applied all the same."""
    case = world.case(KINDS[seed % len(KINDS)], chance, rows=chance.randint(5, 12))
    rules = [{"match": BATCH, "skip": chance.randint(0, 2), "times": chance.randint(1, 2), "do": {"delay_s": 0.4}}]
    with environment("REVERSE_ETL_ANSWER_TIMEOUT_S", "0.2"):
        outlasts(case, rules)


@family(32, at_once=8)
def answers_without_end(world: World, chance: random.Random, seed: int) -> None:
    """Rows applied or not, and an answer that drips, floods or is a gzip bomb; each tenth does so for ever."""
    case = world.case(KINDS[seed % len(KINDS)], chance, rows=chance.randint(5, 12), in_flight=chance.randint(1, 3))

    def do(*kinds: str) -> Rule:
        spoilt = {"endless": chance.choice(kinds)}
        return spoilt if chance.random() < 0.6 else {**spoilt, "status": 503, "apply": chance.random() < 0.5}

    with environment("REVERSE_ETL_ANSWER_TIMEOUT_S", "0.3"):
        if seed % 10 == 9:
            gives_up(case, chance, [{"match": BATCH, "skip": chance.randint(0, 1), "always": True, "do": do("bomb")}])
        else:
            kind = ("head", "body", "flood", "bomb")[seed % 4]
            rule = {"match": BATCH, "skip": chance.randint(0, 2), "times": chance.randint(1, 2), "do": do(kind)}
            outlasts(case, [rule])
