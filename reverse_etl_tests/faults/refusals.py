"""Rows and requests that the workspace refuses."""

from __future__ import annotations

import random
from typing import Any, Final

from reverse_etl.errors import DestinationRefusedError, UnauthorizedError
from reverse_etl.report import Status
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.runs import Case, World
from reverse_etl_tests.faults.shop import KINDS
from reverse_etl_tests.faults.truth import a_clean_run_mends_everything, books_are_true, everything_arrived

BATCH: Final = {"path": "/api/v2/batch"}
_EXHAUSTIVE_ROWS: Final = 5
_SUBSETS: Final = [
    (rows, {n + 1 for n in range(rows) if chosen >> n & 1})
    for rows in range(1, _EXHAUSTIVE_ROWS + 1)
    for chosen in range(2**rows)
]


def _refuse(case: Case, refused: set[str], **more: Any) -> None:
    rule = {"refuse_items": {"ids": sorted(refused), **more}}
    case.sandbox.faults([{"match": BATCH, "always": True, "do": rule}])


def _hold(case: Case, refused: set[str]) -> None:
    report = books_are_true(case, case.run(), refused=refused)
    assert report.status is (Status.SOME_ROWS_FAILED if refused else Status.COMPLETED)
    everything_arrived(case, but=refused)
    a_clean_run_mends_everything(case)


@family(len(_SUBSETS) + 28)
def refused_rows(world: World, chance: random.Random, seed: int) -> None:
    """Answer 207: every subset of requests of 1 to 5 rows is refused, then random subsets of several requests."""
    if seed < len(_SUBSETS):
        rows, numbers = _SUBSETS[seed]
        case = world.case(KINDS[seed % len(KINDS[:4])], chance, rows=rows, items=rows, in_flight=1)
    else:
        case = world.case(chance.choice(KINDS), chance)
        share = chance.random()
        numbers = {row.number for row in case.shop.rows() if chance.random() < share}
    refused = {row.identifier(case.kind) for row in case.shop.rows() if row.number in numbers}
    _refuse(case, refused)
    _hold(case, refused)


@family(30)
def bad_rows_found_by_halving(world: World, chance: random.Random, seed: int) -> None:
    """Answer 400 to each request with a bad row in it, without saying which row: 0 to 5 bad rows."""
    case = world.case(chance.choice(KINDS), chance, items=chance.randint(1, 16))
    rows = case.shop.rows()
    refused = {row.identifier(case.kind) for row in chance.sample(rows, k=min(len(rows), seed % 6))}
    _refuse(case, refused, whole=True)
    _hold(case, refused)


@family(30)
def rows_refused_without_their_index(world: World, chance: random.Random, seed: int) -> None:
    """Answer 207 whose errors name no row of the request, with 0 to 5 bad rows in it: the others were applied."""
    case = world.case(chance.choice(KINDS), chance, items=chance.randint(1, 16))
    rows = case.shop.rows()
    refused = {row.identifier(case.kind) for row in chance.sample(rows, k=min(len(rows), seed % 6))}
    _refuse(case, refused, index=chance.choice(["none", "beyond"]))
    _hold(case, refused)


@family(30)
def requests_refused_once(world: World, chance: random.Random, seed: int) -> None:
    """Answer 400 to 1 to 6 whole requests of good rows: halves of them are accepted, single rows are refused."""
    case = world.case(chance.choice(KINDS), chance, items=chance.randint(1, 8), in_flight=1)
    body = chance.choice(['{"errors":[{"reason":"invalid","field":"f","message":"no"}]}', "", "<html>", "[]"])
    times = chance.randint(1, 6)
    do = {"status": 400, "body": body}
    case.sandbox.faults([{"match": BATCH, "skip": chance.randint(0, 4), "times": times, "do": do}])
    ended = case.run()
    refusable = {row.identifier(case.kind) for row in ended.rows}
    report = ended.report
    assert report is not None
    assert report.total.refused <= times
    if report.status is Status.COMPLETED:
        books_are_true(case, ended)
    else:
        assert report.status is Status.SOME_ROWS_FAILED
        assert report.rows.balanced
        assert report.rows.delivered + report.rows.refused == len(refusable)
        assert last_sync_time(case.store, case.name) == 0
    a_clean_run_mends_everything(case)


@family(30)
def requests_too_large(world: World, chance: random.Random, seed: int) -> None:
    """Answer 413 to every request of more than 1 to 4 rows: halves are sent until they fit."""
    case = world.case(chance.choice(KINDS), chance, items=chance.randint(2, 32))
    case.sandbox.faults([{"match": BATCH, "always": True, "do": {"most_items": chance.randint(1, 4)}}])
    _hold(case, set())


@family(30)
def credentials_withdrawn(world: World, chance: random.Random, seed: int) -> None:
    """Answer 401 or 403 from some request on, or once: the run stops at once; later it is resumed or run again."""
    case = world.case(chance.choice(KINDS), chance, rows=chance.randint(12, 40), items=chance.randint(1, 4))
    do = {"status": chance.choice([401, 403]), "body": "Unauthorized\n"}
    rule = {"match": BATCH, "skip": chance.randint(0, 2), "always": chance.random() < 0.5, "do": do}
    case.sandbox.faults([rule])
    _stops(case, chance, UnauthorizedError)


@family(20)
def redirects(world: World, chance: random.Random, seed: int) -> None:
    """A redirect to the other region or elsewhere, from some request on: nothing follows it."""
    case = world.case(chance.choice(KINDS), chance, rows=chance.randint(12, 40), items=chance.randint(1, 4))
    where = chance.choice(["https://track-eu.customer.io", "https://elsewhere.example", "javascript:", "http://[no"])
    do = {"redirect": where, "redirect_status": chance.choice([301, 302, 303, 307, 308])}
    case.sandbox.faults([{"match": BATCH, "skip": chance.randint(0, 2), "always": True, "do": do}])
    _stops(case, chance, DestinationRefusedError)


def _stops(case: Case, chance: random.Random, kind: type[BaseException]) -> None:
    first = case.run()
    report = books_are_true(case, first)
    assert (report.status, report.exit_code, type(first.error)) == (Status.FAILED, 5, kind)
    case.sandbox.clear_faults()
    if chance.random() < 0.5:
        resumes(case, first)
    a_clean_run_mends_everything(case)


def resumes(case: Case, first: Any) -> None:
    """Goes on from the failed step: completed, everything there, and nothing sent again that was acknowledged."""
    seen = len(case.sandbox.requests())
    undelivered = first.report.total.undelivered
    report = books_are_true(case, case.resume(first))
    assert report.status is Status.COMPLETED
    sent = [each for each in case.sandbox.requests()[seen:] if each["path"] == BATCH["path"]]
    assert sum(each["items"] for each in sent) == undelivered
    everything_arrived(case)
