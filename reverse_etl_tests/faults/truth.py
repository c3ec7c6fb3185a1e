"""What must be true after every run, and after the clean run that follows a fault."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reverse_etl.changeset.parts import count
from reverse_etl.report import Counts, Outcome, RunReport, Status
from reverse_etl.state.failures import causes_of_run
from reverse_etl.state.syncs import last_sync_time
from reverse_etl_tests.faults.runs import Case, Ended
from reverse_etl_tests.faults.shop import Row
from reverse_etl_tests.faults.workspace import memberships, segment_members


def books_are_true(case: Case, ended: Ended, *, refused: Iterable[str] = (), rejected: Iterable[str] = ()) -> RunReport:
    """Checks one run's records against the source and the workspace, and returns its report.

    Args:
        case: The scenario's sync.
        ended: The run.
        refused: Identifiers that the workspace refuses, whatever query they are in.
        rejected: Identifiers whose rows break a check.
    """
    report = ended.report
    assert report is not None, "the run is not in the history"
    assert report.status is not Status.RUNNING, "the run was never closed"
    total = report.total
    assert all(each.balanced for each in report.streams.values())
    assert (report.status is Status.COMPLETED) == (report.exit_code == 0)
    assert (report.status is Status.FAILED) == (ended.error is not None), f"{report.status}: {ended.error}"
    if report.status is not Status.FAILED:
        assert total.undelivered == 0
        assert (report.status is Status.COMPLETED) == (total.failed == 0)
    facts = case.home.run_folder(case.name, ended.root_run_id).facts()
    moved = report.status is Status.COMPLETED and facts is not None
    assert last_sync_time(case.store, case.name) == (facts.started_at if moved and facts else ended.sync_time_before)
    if facts is None:
        assert total == Counts()
        return report
    failed = _failed_rows(report)
    for query in report.streams.keys() & {"rows", "relationships"}:
        wanted = ended.rows if query == "rows" or case.kind == "related" else []
        broken = set(rejected) if query == "rows" else set()
        _outcomes_are_true(case, ended, query, wanted, failed, set(refused), broken)
    assert sum(cause.rows for cause in causes_of_run(case.store, report.run_id)) == total.failed
    return report


def everything_arrived(case: Case, *, but: Iterable[str] = ()) -> None:
    """Checks that the destination holds the source's rows, each once, and nothing else, except identifiers left out."""
    left_out = set(but)
    rows = [row for row in case.shop.rows() if row.identifier(case.kind) not in left_out]
    wanted = Counter(case.expected(row) for row in rows)
    found = case.contents()
    assert found == wanted, f"lost: {wanted - found}; not of the source, or doubled: {found - wanted}"
    if case.kind == "related":
        assert memberships(case.sandbox) == {row.membership(): row.visits for row in rows}
        assert segment_members(case.sandbox) == {row.id for row in rows}


def a_clean_run_mends_everything(case: Case) -> None:
    """Ends all faults, runs once more, and checks that everything is as if nothing had ever gone wrong.

    A run that goes on with an older changeset delivers that one's good rows; then the one after it is the clean one.
    """
    case.sandbox.clear_faults()
    ended = case.run()
    if ended.report is not None and ended.report.status is Status.SOME_ROWS_FAILED:
        assert case.home.run_folder(case.name, ended.root_run_id).path.name != ended.root_run_id
        ended = case.run()
    report = books_are_true(case, ended)
    assert (report.status, report.message) == (Status.COMPLETED, "")
    everything_arrived(case)


def _outcomes_are_true(
    case: Case,
    ended: Ended,
    query: str,
    rows: list[Row],
    failed: dict[str, dict[int, dict[str, Any]]],
    refused: set[str],
    rejected: set[str],
) -> None:
    report = ended.report
    assert report is not None
    counts = report.streams[query]
    outcomes = case.home.run_folder(case.name, ended.root_run_id).parts(query).outcomes(len(rows))
    assert counts == count(outcomes)
    assert counts.extracted == len(rows)
    assert counts.excluded == 0
    found: dict[Outcome, set[int]] = {outcome: set() for outcome in Outcome}
    for number, code in enumerate(outcomes.tolist(), start=1):
        found[Outcome(code)].add(number)
    must_fail = found[Outcome.UNDELIVERED] | found[Outcome.REFUSED] | found[Outcome.REJECTED]
    assert failed[query].keys() == must_fail
    identified = dict(enumerate((row.identifier(case.kind) for row in rows), start=1))
    if query == "rows":
        assert {n: row["identifier"] for n, row in failed[query].items()} == {n: identified[n] for n in must_fail}
    stages = {Outcome.UNDELIVERED: "delivery", Outcome.REFUSED: case.refuses, Outcome.REJECTED: case.rejects}
    for outcome, stage in stages.items():
        assert {failed[query][n]["stage"] for n in found[outcome]} <= {stage}, f"{outcome}"
    names = {outcome: {identified[n] for n in numbers} for outcome, numbers in found.items()}
    assert names[Outcome.REFUSED] <= refused
    assert not names[Outcome.DELIVERED] & (refused | rejected)
    if report.status is not Status.FAILED:
        assert names[Outcome.REFUSED] == refused & set(identified.values()) - rejected
        assert names[Outcome.REJECTED] == rejected & set(identified.values())
    delivered = [row for n, row in enumerate(rows, start=1) if n in found[Outcome.DELIVERED]]
    if query == "rows":
        there = case.contents()
        assert {each for row in delivered if not there[each := case.expected(row)]} == set()
    else:
        held = memberships(case.sandbox)
        assert {row.membership(): row.visits for row in delivered}.items() <= held.items()


def _failed_rows(report: RunReport) -> dict[str, dict[int, dict[str, Any]]]:
    """The run's CSV by query and row number; no row is in it twice."""
    found: dict[str, dict[int, dict[str, Any]]] = {query: {} for query in report.streams}
    if report.failed_rows_csv:
        path = Path(report.failed_rows_csv)
        assert path.stat().st_mode & 0o777 == 0o600
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                number = int(row["row_number"])
                assert number not in found[row["query"]], "a row is reported twice"
                found[row["query"]][number] = row
    return found
