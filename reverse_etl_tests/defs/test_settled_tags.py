"""The tag of a run that has ended says how, also where no stage of it was there to say so."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import pytest
import sqlalchemy as sa

from reverse_etl.report import Status
from reverse_etl.state import workspace_lease
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.runs import begin_run
from reverse_etl.state.schema import LEASE
from reverse_etl.state.store import Store
from reverse_etl_tests.defs.daemon import Daemon
from reverse_etl_tests.defs.test_never_started import daemon, look, store, told
from reverse_etl_tests.project import Project
from reverse_etl_tests.state.conftest import close, report

__all__ = ["daemon", "store", "told"]

Run = dg.DagsterRunStatus


def tag(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """How a run ended, by its tag."""
    found = instance.get_run_by_id(run.run_id)
    return found.tags.get("reverse_etl/status") if found else None


def begin(store: Store, run: dg.DagsterRun) -> None:
    """The run's first stage has begun, in a process that then gave no more signs of life."""
    at = datetime.now(UTC)
    workspace_lease.take(store, "main", run_id=run.run_id, sync="people")
    begin_run(store, run.run_id, root_run_id=run.run_id, sync="people", workspace="main", started_at=at, since=0)


@pytest.mark.thorough
def test_canceled_in_the_queue(daemon: Daemon, project: Project, store: Store) -> None:
    """Of a job, of "Materialize", and of a re-execution that carried another end; nothing is in the history."""
    first = daemon.launch("people")
    runs = [first, daemon.materialize("people/people_changeset"), daemon.execute_again(first)]
    for run in runs:
        daemon.instance.report_run_canceled(run)
    look(project, daemon.instance)
    assert ["canceled"] * 3 == [tag(daemon.instance, run) for run in runs]
    assert [] == list(list_runs(store))


def test_ended_by_force(daemon: Daemon, project: Project, store: Store) -> None:
    """Left as it is while its process may still close the run; as the history has it once it is found dead."""
    run = daemon.launch("people", {"reverse_etl/status": "running"})
    begin(store, run)
    daemon.instance.report_run_canceled(run)
    workspace_lease.rest(store, run.run_id)
    look(project, daemon.instance)
    assert "running" == tag(daemon.instance, run)
    with store.writing() as connection:
        connection.execute(sa.update(LEASE).values(beat_at=datetime.now(UTC) - 2 * workspace_lease.SILENT))
    look(project, daemon.instance)
    assert "failed" == tag(daemon.instance, run)
    assert [Status.FAILED] == [each.status for each in list_runs(store)]


@pytest.mark.parametrize(
    ("status", "end"),
    [(Run.SUCCESS, Status.CANCELED), (Run.FAILURE, Status.SOME_ROWS_FAILED), (Run.CANCELED, Status.COMPLETED)],
)
def test_a_tag_that_was_not_written(daemon: Daemon, project: Project, store: Store, status: Run, end: Status) -> None:
    """The run is closed, but the process ended before it could tag it in Dagster."""
    run = daemon.launch("people", {"reverse_etl/status": "running"})
    begin(store, run)
    close(store, report(run.run_id, status=end))
    {
        Run.SUCCESS: lambda: daemon.instance.report_dagster_event(
            dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, "people"), run.run_id
        ),
        Run.FAILURE: lambda: daemon.instance.report_run_failed(run),
        Run.CANCELED: lambda: daemon.instance.report_run_canceled(run),
    }[status]()
    look(project, daemon.instance)
    assert end.value == tag(daemon.instance, run)


def test_other_ends_stay(daemon: Daemon, project: Project, store: Store) -> None:
    """A skipped run stays skipped; one in the queue, one that began elsewhere and a user's own say nothing new."""
    skipped, elsewhere, waiting = (daemon.launch("people") for _ in range(3))
    daemon.instance.add_run_tags(skipped.run_id, {"reverse_etl/status": "skipped"})
    daemon.instance.add_run_tags(elsewhere.run_id, {".dagster/reverse_etl/began": elsewhere.run_id})
    own = daemon.instance.create_run_for_job(dg.job(name="own")(lambda: None), run_config={})
    for run in (skipped, elsewhere, own):
        daemon.instance.report_run_canceled(run)
    look(project, daemon.instance)
    assert ["skipped", None, None, None] == [tag(daemon.instance, run) for run in (skipped, elsewhere, waiting, own)]
