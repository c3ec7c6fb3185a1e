"""The sensor that finds runs which failed before their first stage: a faulty file, no worker, a late start.

No process of ours records such a run or sends an alert about it. The daemon asks the sensor once a minute; then
the tags of runs that Dagster ended are settled too (``settled_tags``), and what Dagster has loaded is noted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from reverse_etl.config.folder_now import folder_now
from reverse_etl.config.left_out import SEE_ALL
from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.defs.assets import HOME
from reverse_etl.defs.run_tags import has_begun, of_syncs_alone, tag_status
from reverse_etl.defs.settled_tags import names_of, settle_tags
from reverse_etl.defs.specs import ProjectSpecs
from reverse_etl.errors import ConfigError
from reverse_etl.notify.sending import after_run
from reverse_etl.report import RunReport, Status
from reverse_etl.state.kept import kept_store
from reverse_etl.state.loaded import mark, note_loaded
from reverse_etl.state.run_ids import id_of_sync, runs_of
from reverse_etl.state.runs import close_run
from reverse_etl.state.store import Store

if TYPE_CHECKING:
    from dagster._core.storage.dagster_run import RunRecord

EVERY_S = 60
_FIRST_LOOK = timedelta(days=1)
_LOOK_BACK = timedelta(minutes=10)
"""Before the last look: clocks differ, and a run's failure is written in several steps."""
_FROM_OUTSIDE = "This run has been marked as failed from outside"
"""Dagster's words where an earlier event has the reason."""


def never_started_sensor(project: ProjectConfig, specs: ProjectSpecs) -> dg.SensorDefinition:
    """The sensor ``runs_that_never_started`` of a project's syncs."""
    unknown = {name: why.sync for name, why in project.left_out.items() if why.sync is not None}
    marks = {name: mark(sync) for name, sync in (unknown | project.syncs).items()}

    @dg.sensor(
        name="runs_that_never_started",
        minimum_interval_seconds=EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Records runs that failed before they began in the history, alerts the channels of `notify`, and "
        "sets the tag `reverse_etl/status` of runs that Dagster ended. Notes which syncs are loaded.",
        required_resource_keys={HOME},
    )
    def runs_that_never_started(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        now = datetime.now(UTC)
        since = datetime.fromisoformat(context.cursor) - _LOOK_BACK if context.cursor else now - _FIRST_LOOK
        store = kept_store(getattr(context.resources, HOME).home.state_url)
        found = list(_record_never_started(context.instance, store, project, specs, since=since))
        for report in found:
            # Of a sync that is left out, and whose file says nothing for sure, `alerts` tells that it is.
            sync = project.syncs.get(report.sync)
            for warning in after_run(report, sync, channels=project.notify, store=store) if sync is not None else ():
                context.log.warning(warning)
        settle_tags(context.instance, store, specs, since=since)
        note_loaded(store, _location(context), marks, now)
        context.update_cursor(now.isoformat())
        return dg.SkipReason("\n".join(report.message for report in found) or "Every run that failed had begun.")

    return runs_that_never_started


def _location(context: dg.SensorEvaluationContext) -> str:
    """The name of the code location that the daemon asks; empty for one that has none."""
    origin = context.code_location_origin
    return origin.location_name if origin is not None else ""


def _record_never_started(
    instance: dg.DagsterInstance, store: Store, project: ProjectConfig, specs: ProjectSpecs, *, since: datetime
) -> Iterator[RunReport]:
    """Writes failed runs of the project's syncs that never began into the history; yields those that were not there."""
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    for record in reversed(instance.get_run_records(failed)):
        run = record.dagster_run
        if record.start_time is not None and not of_syncs_alone(run):
            continue  # it may have failed in a user's own asset, before the sync began
        names = sorted(names_of(run, specs) & (project.syncs.keys() | project.left_out.keys()))
        if names and not has_begun(run) and not runs_of(store, run.run_id):
            tag_status(instance, run.run_id, Status.FAILED)
            for name in names:
                why = _reason(instance, run.run_id, project.directory, name)
                if why.exit_code == ConfigError.exit_code:  # Dagster's own page of the run names only a process
                    instance.report_engine_event(f"{why.text} {why.next_step}", run)
                yield _recorded(store, record, project, name, why)


@dataclass(frozen=True, slots=True)
class _Why:
    text: str
    next_step: str
    exit_code: int


def _reason(instance: dg.DagsterInstance, run_id: str, folder: Path, name: str) -> _Why:
    """Why the files as they are now leave the sync out; or else Dagster's own reason."""
    if (stopped := folder_now(folder).read().stopped(name)) is not None:
        text = f"the run never started, for the sync is left out: {stopped.why}"
        return _Why(text, SEE_ALL, ConfigError.exit_code)
    text = f"the run never started: {_dagsters_reason(instance, run_id)}."
    step = "See that Dagster's daemon and code server run, and that `reverse-etl validate` finds no problem; "
    return _Why(text, f"{step}the next due run makes up for it.", 1)


def _dagsters_reason(instance: dg.DagsterInstance, run_id: str) -> str:
    """In one line."""
    kinds = {dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.ENGINE_EVENT}
    for each in instance.get_records_for_run(run_id, of_type=kinds, ascending=False, limit=10).records:
        event = each.event_log_entry.dagster_event
        lines = (event.message or "").strip().splitlines() if event else []
        if lines and not lines[0].startswith(_FROM_OUTSIDE):
            return lines[0].rstrip(".")
    return "Dagster gives no reason"


def _recorded(store: Store, record: "RunRecord", project: ProjectConfig, name: str, why: _Why) -> RunReport:
    sync = project.syncs.get(name) or project.left_out[name].sync
    where = sync.where if sync is not None else f"sync {name}"
    run, created_at = record.dagster_run, record.create_timestamp
    created_at = created_at.replace(tzinfo=UTC) if created_at.tzinfo is None else created_at
    ended = record.end_time or record.update_timestamp.timestamp()
    run_id = id_of_sync(run.run_id, name, job=run.job_name)
    report = RunReport(
        sync=name,
        run_id=run_id,
        status=Status.FAILED,
        started_at=created_at,
        duration_s=max(0.0, ended - created_at.timestamp()),
        message=f"{where}: {why.text} Nothing was read or sent. {why.next_step}",
        exit_code=why.exit_code,
    )
    root = id_of_sync(run.root_run_id or run.run_id, name, job=run.job_name)
    place = sync.destination if sync is not None else ""
    return close_run(store, report, root_run_id=root, workspace=place, failed_rows=(), new_last_sync_time=None)
