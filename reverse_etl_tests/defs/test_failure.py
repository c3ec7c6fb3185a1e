"""What went wrong, as Dagster keeps it: the sentence that commands print, where the rows are, and no stack trace."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster_shared.error import SerializableErrorInfo

from reverse_etl import definitions
from reverse_etl.config.loader import load_project
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.definitions import build_definitions
from reverse_etl.defs.failure import NotLoadedError
from reverse_etl.state import workspace_lease
from reverse_etl.state.home import Home
from reverse_etl.state.store import open_store
from reverse_etl.workers import heartbeat
from reverse_etl_tests.project import Project, fill, people


def executed(project: Project, instance: dg.DagsterInstance) -> tuple[str, list[SerializableErrorInfo]]:
    """Executes the job `people`, which does not succeed: its run's id, and the errors in that run's log."""
    job = build_definitions(load_project(project.folder / "syncs")).resolve_job_def("people")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    found = []
    for event in result.all_events:
        if event.is_step_failure:
            found.append(event.step_failure_data.error)
        elif event.is_job_failure and (first := event.job_failure_data.first_step_failure_event):
            found.append(first.step_failure_data.error)
        elif event.event_type is dg.DagsterEventType.RUN_CANCELED:
            found.append(event.job_canceled_data.error)
    return result.run_id, [error for error in found if error is not None]


@pytest.mark.parametrize("where", ["delivery", "check", "source", "variable"])
def test_a_failure_is_a_sentence_and_the_csv(
    loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Of the step and of the run, whatever stage it was."""
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), ("2", "no address", "b")])
    if where == "check":
        project.write("people.yaml", people(more="checks:\n  - max_failed_rows: 0\n"))
    elif where == "source":
        (project.folder / "shop.db").unlink()
    elif where == "variable":
        monkeypatch.delenv("CUSTOMERIO_SITE_ID")
    run_id, errors = executed(project, instance)
    csv = f"Failed rows: {Home.from_environment().failed_rows_csv('people', run_id)}"
    assert 2 == len(errors)
    for error in errors:
        assert ([], None, None) == (error.stack, error.cause, error.context)
        sentence, *more = error.message.splitlines()
        assert sentence.startswith("sync people (")
        assert ([csv] if where in ("delivery", "check") else []) == more


def test_a_skipped_run_is_a_sentence(loaded: ProjectConfig, project: Project, instance: dg.DagsterInstance) -> None:
    """Of the step and of the run, which Dagster calls canceled."""
    store = open_store(Home.from_environment().state_url)
    heartbeat.start("elsewhere", lambda: True)
    try:
        assert workspace_lease.take(store, "main", run_id="elsewhere", sync="other") is None
        _, errors = executed(project, instance)
    finally:
        heartbeat.stop("elsewhere")
    assert 2 == len(errors)
    for error in errors:
        assert (True, []) == ("run elsewher of other is in progress" in error.message, error.stack)


@pytest.mark.thorough
def test_files_with_a_mistake_are_not_loaded_and_the_sentence_says_why(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Dagster's page of code locations, and in a terminal where one of its commands loads them."""
    project.write("connections.yaml", "databses: {}\n")
    monkeypatch.chdir(project.folder)
    with pytest.raises(NotLoadedError) as caught:
        definitions.defs()
    (info,) = caught.value.user_code_process_error_infos
    assert (True, []) == ("connections.yaml:1: databses: unknown key" in info.message, info.stack)

    project.environment["PYTHONWARNINGS"] = "ignore"
    dagster = str(Path(sys.executable).with_name("dagster"))
    done = project.command(dagster, "job", "execute", "-m", "reverse_etl.definitions", "-j", "people")
    assert (1, f"Error: {info.message}\n") == (done.returncode, done.stderr)


def test_a_folder_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the ways to name another."""
    monkeypatch.setenv("REVERSE_ETL_SYNCS", "elsewhere")
    with pytest.raises(NotLoadedError, match="there is no folder elsewhere"):
        definitions.defs()
