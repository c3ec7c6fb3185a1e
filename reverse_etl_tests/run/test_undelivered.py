"""Every failed row has its line, whatever ended the run before its delivery: in the CSV, in the history's causes."""

from __future__ import annotations

import csv
import random
import sqlite3
from collections import Counter
from pathlib import Path

import httpx
import pytest

from reverse_etl.config.inline import parse_sync
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.errors import ReverseEtlError
from reverse_etl.report import RunReport, Status
from reverse_etl.run.attend import attend
from reverse_etl.run.open_runs import end_open
from reverse_etl.run.record import SyncRun
from reverse_etl.run.stages import deliver_changeset, extract_changeset, validate_changeset
from reverse_etl.state.failures import causes_of_run, failed_rows_of_run
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import find_run
from reverse_etl_tests.faults.runs import Case, World
from reverse_etl_tests.faults.shop import settings
from reverse_etl_tests.faults.truth import everything_arrived
from reverse_etl_tests.fresh_store import fresh_store
from reverse_etl_tests.servers.sandbox import RunningSandbox

ROWS = 7
STOPS = {"checks": [{"accepted_values": {"column": "visits", "values": [-1]}}, {"max_failed_rows": 0}]}
STOPS_AT_ONCE = {"checks": [{"row_count": {"min": 1000, "severity": "stop"}}]}
UNKNOWN_COLUMN = {"checks": [{"not_null": "no_such_column"}]}


@pytest.fixture
def world(tmp_path: Path, sandbox: RunningSandbox) -> World:
    """A home of its own, and the worker's sandbox."""
    home = Home.at(tmp_path / "home")
    return World(tmp_path, sandbox, home, fresh_store(home))


def case_of(world: World, kind: str, **more: object) -> Case:
    """A sync with `ROWS` rows and other keys in its file."""
    case = world.case(kind, random.Random(1), rows=ROWS)  # noqa: S311 - repeatable, not secret
    case.sync = sync_of(case, **more)
    return case


def sync_of(case: Case, **more: object) -> Sync:
    """Its sync with other keys in its file."""
    named = {"database": "shop", "workspace": "main", "schedule": "manual"}
    return parse_sync(case.name, {**named, **settings(case.kind), **more})


def ends_well(case: Case) -> None:
    """A run without the fault delivers every row."""
    case.sandbox.clear_faults()
    report = case.run().report
    assert report is not None
    assert Status.COMPLETED is report.status
    everything_arrived(case)


def lines_of(report: RunReport) -> Counter[tuple[str, str, str]]:
    """The CSV's lines by query, stage and reason; no row has two."""
    assert report.failed_rows_csv, report
    with Path(report.failed_rows_csv).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["query"], row["row_number"]) for row in rows}) == len(rows)
    assert all(row["identifier"] and row["message"] for row in rows)
    return Counter((row["query"], row["stage"], row["reason"]) for row in rows)


def is_accounted_for(case: Case, run: SyncRun) -> RunReport:
    """The run's report: its failed rows are as many as lines in the CSV and rows among the causes."""
    report = find_run(case.store, run.run_id)
    assert report is not None
    total = report.total
    queries = 2 if case.kind == "related" else 1
    assert (ROWS * queries, ROWS * queries) == (total.extracted, total.failed)
    assert (
        total.failed == lines_of(report).total() == sum(cause.rows for cause in causes_of_run(case.store, run.run_id))
    )
    assert total.failed == len(list(failed_rows_of_run(case.store, run.run_id)))
    return report


@pytest.mark.parametrize("kind", ["people", "emails", "objects", "events", "related"])
def test_rows_of_a_run_that_a_check_stopped(world: World, kind: str) -> None:
    """Those that pass are failed rows too, because the run stopped before they were sent."""
    case = case_of(world, kind, **STOPS_AT_ONCE)
    report = is_accounted_for(case, run := stopped(case))
    assert (Status.FAILED, 4) == (report.status, report.exit_code)
    assert {("delivery", "stopped")} == {(stage, reason) for _, stage, reason in lines_of(report)}
    assert run.run_id == report.run_id


def stopped(case: Case) -> SyncRun:
    """A run that a check stops."""
    run = case.start()
    with attend(run):
        extract_changeset(run, case.database)
    with attend(run):
        assert validate_changeset(run).stopped
    return run


def test_rows_that_a_gate_counts_and_rows_that_pass(world: World) -> None:
    """A rejected row keeps its own reason, all others have the stop's; a clean run afterwards delivers all."""
    case = case_of(world, "people", **STOPS)
    with sqlite3.connect(case.shop.path) as database:
        database.execute("UPDATE shop SET visits = -1 WHERE rowid > 3")
    report = is_accounted_for(case, stopped(case))
    expected = {("rows", "check", "accepted_values_visits"): 3, ("rows", "delivery", "stopped"): ROWS - 3}
    assert expected == lines_of(report)
    case.sync = sync_of(case)
    ends_well(case)


@pytest.mark.parametrize("kind", ["people", "related"])
def test_rows_of_a_run_whose_checks_could_not_run(world: World, kind: str) -> None:
    """A check on a column that there is not."""
    case = case_of(world, kind, **UNKNOWN_COLUMN)
    run = case.start()
    with attend(run):
        extract_changeset(run, case.database)
    with pytest.raises(ReverseEtlError), attend(run):
        validate_changeset(run)
    assert Status.FAILED is is_accounted_for(case, run).status


def test_runs_of_a_clock_that_jumps_may_ask_at_any_rate(sandbox: RunningSandbox) -> None:
    """Their waits are over at once, so a limit by the second would end a run that asks for nothing too often."""
    headers = {"authorization": "Bearer sandbox"}
    assert {200} == {httpx.get(f"{sandbox.url}/v1/segments", headers=headers).status_code for _ in range(12)}


@pytest.mark.parametrize("kind", ["people", "related"])
@pytest.mark.parametrize("stages", [1, 2])
def test_rows_of_a_run_that_was_interrupted_between_two_stages(world: World, kind: str, stages: int) -> None:
    """Before its checks or before its delivery: canceled, and its workspace is free again."""
    case = case_of(world, kind)
    run = case.start()
    with attend(run):
        extract_changeset(run, case.database)
    if stages == 2:
        with attend(run):
            validate_changeset(run)
    end_open(run.lease_id)
    report = is_accounted_for(case, run)
    assert Status.CANCELED is report.status
    assert {("delivery", "canceled")} == {(stage, reason) for _, stage, reason in lines_of(report)}
    assert "before its delivery" in report.message
    ends_well(case)


def test_rows_of_checks_that_were_interrupted(world: World) -> None:
    """What they had found so far does not count twice."""
    case = case_of(world, "people", checks=[{"accepted_values": {"column": "visits", "values": [-1]}}])
    run = case.start()
    with attend(run):
        extract_changeset(run, case.database)
    with attend(run):
        validate_changeset(run)
    (run.folder.parts("rows").folder / "outcomes.npy").unlink()
    with pytest.raises(KeyboardInterrupt), attend(run):
        raise KeyboardInterrupt
    assert {("rows", "delivery", "canceled"): ROWS} == lines_of(is_accounted_for(case, run))


def test_rows_of_a_delivery_that_could_not_begin(world: World) -> None:
    """A credential that is not set, a segment that there is not: the lines are those of the delivery."""
    case = case_of(world, "related")
    run = case.start()
    with attend(run):
        extract_changeset(run, case.database)
    with attend(run):
        validate_changeset(run)
    case.sandbox.faults([{"match": {"path": "/api/v1/accounts/region"}, "always": True, "do": {"status": 401}}])
    with pytest.raises(ReverseEtlError), attend(run):
        deliver_changeset(run, case.workspace)
    assert {"unauthorized"} == {reason for _, _, reason in lines_of(is_accounted_for(case, run))}
