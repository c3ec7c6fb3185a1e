"""The sensor that removes old runs of syncs from Dagster's storage, with what they leave there; Dagster removes none.

What is removed ended before the project's ``retention.dagster_runs``: the run, its events, its checks' results and what
its steps printed. The history of ``reverse-etl history`` and changesets have limits of their own (``state.retention``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.tags import ROOT_RUN_ID_TAG

from reverse_etl.config.syncs import ProjectConfig
from reverse_etl.counted import counted
from reverse_etl.defs.run_tags import SYNC_TAG, of_syncs_alone
from reverse_etl.defs.settled_tags import names_of
from reverse_etl.defs.specs import ProjectSpecs
from reverse_etl.times import minute

if TYPE_CHECKING:
    from dagster._core.storage.dagster_run import RunRecord

EVERY_S = 60
AT_ONCE = 100
"""Runs that are looked at in one tick: what it takes is far below the minute that Dagster gives it."""

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one look at the oldest runs did.

    Attributes:
        removed: The ids of the runs that are gone.
        next_look: The run after which the next look begins; empty: at the oldest again.
    """

    removed: Sequence[str]
    next_look: str


def run_retention_sensor(project: ProjectConfig, specs: ProjectSpecs) -> dg.SensorDefinition | None:
    """The sensor ``old_runs`` of a project that keeps Dagster's runs for a time; None for one that keeps them all."""
    kept = project.retention.dagster_runs
    if kept is None:
        return None

    @dg.sensor(
        name="old_runs",
        minimum_interval_seconds=EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Removes Dagster's runs of syncs that ended before `retention.dagster_runs`, some at a time.",
    )
    def old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        before = datetime.now(UTC) - kept
        pruned = prune_runs(context.instance, specs, before, after=context.cursor or "")
        context.update_cursor(pruned.next_look)
        ended = f"that ended before {minute(before)} UTC"
        if pruned.removed:
            return dg.SkipReason(f"Removed {counted(len(pruned.removed), 'run')} {ended}.")
        return dg.SkipReason(f"No run {ended} is left." if not pruned.next_look else "Looking through older runs.")

    return old_runs


def prune_runs(instance: dg.DagsterInstance, specs: ProjectSpecs, before: datetime, *, after: str = "") -> Pruned:
    """Removes runs of the project's syncs alone that ended before a time, of the ``AT_ONCE`` oldest ones that did.

    Runs in progress stay, and runs that are or may be executed again: of a chain of re-executions all, while one is
    in progress or younger. So do each sync's newest run and its newest successful one, which the pages of its
    assets show, and runs of anything else.

    Args:
        instance: Where Dagster's runs are.
        specs: The syncs' assets.
        before: Aware.
        after: ``next_look`` of the look before.
    """
    old = dg.RunsFilter(statuses=_ENDED, updated_before=before)
    cursor = after if after and instance.has_run(after) else None
    records = instance.get_run_records(old, limit=AT_ONCE, ascending=True, cursor=cursor)
    ours = [record for record in records if _is_ours(record.dagster_run, specs)]
    kept = _shown(instance, ours) | _in_young_chains(instance, ours, before)
    removed = [record.dagster_run.run_id for record in ours if record.dagster_run.run_id not in kept]
    for run_id in removed:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    _forget_what_is_left(instance, removed)
    gone = set(removed)
    left = [record.dagster_run.run_id for record in records if record.dagster_run.run_id not in gone]
    more = len(records) == AT_ONCE
    return Pruned(removed, (left[-1] if left else cursor or "") if more else "")


def _is_ours(run: dg.DagsterRun, specs: ProjectSpecs) -> bool:
    names = names_of(run, specs)
    return of_syncs_alone(run) and bool(names) and names <= specs.syncs.keys()


def _shown(instance: dg.DagsterInstance, records: Iterable["RunRecord"]) -> set[str]:
    """The newest runs of the syncs of some runs, and the newest that succeeded."""
    tagged = {tag for record in records if (tag := record.dagster_run.tags.get(SYNC_TAG))}
    return {
        run.run_id
        for tag in tagged
        for statuses in (_ENDED, [dg.DagsterRunStatus.SUCCESS])
        for run in instance.get_runs(dg.RunsFilter(statuses=statuses, tags={SYNC_TAG: tag}), limit=1)
    }


def _in_young_chains(instance: dg.DagsterInstance, records: Sequence["RunRecord"], before: datetime) -> set[str]:
    """Those of some runs that were executed again by a run which is in progress, or ended later."""
    runs = [record.dagster_run for record in records]
    roots = {run.run_id: run.tags.get(ROOT_RUN_ID_TAG, run.run_id) for run in runs}
    if not roots:
        return set()
    again = instance.get_run_records(dg.RunsFilter(tags={ROOT_RUN_ID_TAG: sorted(set(roots.values()))}))
    young = {
        record.dagster_run.tags[ROOT_RUN_ID_TAG]
        for record in again
        if not record.dagster_run.is_finished or _utc(record.update_timestamp) >= before
    }
    return {run_id for run_id, root in roots.items() if root in young}


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _forget_what_is_left(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> None:
    """What ``delete_run`` leaves of runs: their checks' results, and in SQLite a file for each run's events."""
    storage = instance.event_log_storage
    if not run_ids or not isinstance(storage, SqlEventLogStorage):
        return
    with storage.index_connection() as connection:
        connection.execute(AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id.in_(run_ids)))
    if isinstance(storage, SqliteEventLogStorage):
        for run_id in run_ids:
            Path(storage.path_for_shard(run_id)).unlink(missing_ok=True)
