"""Gates that compare a run with those before it, as the state has them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest

from reverse_etl.changeset.scope import Scope
from reverse_etl.checks import accepted_values, row_count
from reverse_etl.cli import words
from reverse_etl.cli.commands.run import show
from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.errors import ConfigError
from reverse_etl.report import Status
from reverse_etl.run.judged import require_known
from reverse_etl.state.check_results import results_of_run
from reverse_etl.state.run_history import list_runs
from reverse_etl.warned import Warned
from reverse_etl_tests.faults.completed import ROWS, completed_once, ended
from reverse_etl_tests.faults.runs import Case
from reverse_etl_tests.servers.sandbox import RunningSandbox


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that has completed once, and now compares its row counts."""
    case = completed_once(tmp_path, sandbox)
    config = row_count.Config(change="50%", last=3)  # type: ignore[arg-type]
    case.sync = case.sync.model_copy(update={"checks": (config,)})
    return case


def full(case: Case, accept: str = "") -> tuple[Status, str, float | None]:
    """How a run of everything ended, and what its gate found."""
    report = ended(case.run(scope=Scope(full=True, accept=accept)))
    results = {each.name: each for each in results_of_run(case.store, report.run_id)}
    return report.status, results["row_count"].outcome, results["row_count"].value


def test_a_run_is_compared_with_completed_runs_that_read_the_same_way(case: Case) -> None:
    """Neither with runs that were stopped, nor runs of everything with runs of what changed."""
    assert (Status.COMPLETED, "passed", ROWS) == full(case)
    assert Status.COMPLETED is ended(case.run()).status
    with closing(sqlite3.connect(case.shop.path)) as database, database:
        database.execute("DELETE FROM shop WHERE rowid > 3")
    for _ in range(2):
        assert (Status.FAILED, "broken", 3) == full(case)
    assert (Status.COMPLETED, "accepted", 3) == full(case, "row_count")
    assert (Status.COMPLETED, "passed", 3) == full(case)


def test_a_run_keeps_what_its_checks_warn_of(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    """In its report and the history: the check, the column, how many rows, the first numbers; on the screen, too."""
    warns = accepted_values.Config(column="plan", values=["none of them"], severity="warn")
    case.sync = case.sync.model_copy(update={"checks": (warns,)})
    report = ended(case.run(scope=Scope(full=True)))
    assert Status.COMPLETED is report.status
    [warned] = report.warnings
    numbers = ", ".join(map(str, range(1, ROWS + 1)))
    found = f"column `plan` holds a value that is not accepted. First rows: {numbers}."
    assert Warned("accepted_values_plan", "rows", ROWS, ROWS, found) == warned
    assert report.as_json()["warnings"] == [asdict(warned)]
    assert list_runs(case.store, limit=1)[0].warnings == report.warnings
    show(report, words.console())
    assert f"warning: accepted_values_plan: {ROWS} of {ROWS} rows: {found}" in " ".join(capsys.readouterr().out.split())


def test_a_check_that_stops_nothing_cannot_be_accepted(case: Case) -> None:
    """One sentence with the file and the next step, before anything is read."""
    with pytest.raises(ConfigError) as unknown:
        require_known(case.sync, ["row_cout"])
    assert str(unknown.value).startswith(f"{case.sync.where}: --accept row_cout: the sync has no check of that name")
    assert str(unknown.value).endswith("Did you mean --accept row_count?")
    assert str(case.run(scope=Scope(accept="row_cout")).error) == str(unknown.value)
    with pytest.raises(ConfigError, match=r"These can be accepted: row_count\.$"):
        require_known(case.sync, ["email_valid"])


def test_a_run_notes_how_often_its_sync_is_due(case: Case) -> None:
    """So that a view can tell who is stale; also where the schedule has changed, or there is none any more."""
    for every, known in ((timedelta(hours=4), 14_400.0), (timedelta(hours=1), 3_600.0), (None, None)):
        case.sync = case.sync.model_copy(update={"schedule": ScheduleConfig(every=every)})
        assert Status.COMPLETED is ended(case.run()).status
        with case.store.reading() as connection:
            assert [(known,)] == connection.exec_driver_sql("SELECT interval_s FROM sync_health").fetchall()
