"""One schedule per sync: Dagster's clock ticks on a covering cron grid, and the tick asks whether a run is due."""

from datetime import UTC, datetime

import dagster as dg

from reverse_etl.config.syncs import SyncConfig
from reverse_etl.defs.assets import HOME, WORKSPACE_TAG
from reverse_etl.schedule.cadence import Cadence, format_interval
from reverse_etl.state.store import open_store

ON_THE_ROUND = datetime(2020, 1, 5, tzinfo=UTC)
"""A Sunday midnight."""

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.SUSPENDED,
    dg.DagsterRunStatus.CANCELING,
]


def sync_schedule(sync: SyncConfig, first_seen_at: datetime | None = None) -> dg.ScheduleDefinition | None:
    """The schedule of a sync; None when it only runs by hand.

    Args:
        sync: The sync.
        first_seen_at: Where an interval without ``start_at`` starts to count; aware. None: on the round.
    """
    cadence = _cadence(sync, first_seen_at)
    cron = sync.schedule.cron or (cadence.cron_covering() if cadence else None)
    if cron is None:
        return None

    @dg.schedule(
        name=f"{sync.name}_schedule",
        job_name=sync.name,
        cron_schedule=cron if isinstance(cron, str) else cron[0] if len(cron) == 1 else cron,
        execution_timezone="UTC",
        description=_described(sync),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        required_resource_keys={HOME},
    )
    def due(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        at = context.scheduled_execution_time
        if cadence is not None and not cadence.is_due(at):
            return dg.SkipReason(f"Not due: the next run is at {cadence.next_due(at):%Y-%m-%d %H:%M} UTC.")
        store = open_store(getattr(context.resources, HOME).home.state_url)
        if store.paused(sync.name):
            return dg.SkipReason(f"Paused: `reverse-etl resume {sync.name}` lets it run again.")
        in_progress = context.instance.get_runs(
            dg.RunsFilter(statuses=UNFINISHED, tags={WORKSPACE_TAG: sync.workspace}), limit=1
        )
        if in_progress:
            run = in_progress[0]
            return dg.SkipReason(f"Skipped: {run.job_name} is in progress in {sync.workspace} (run {run.run_id[:8]}).")
        return dg.RunRequest()

    return due


def _cadence(sync: SyncConfig, first_seen_at: datetime | None) -> Cadence | None:
    if sync.schedule.every is None:
        return None
    start_at = sync.schedule.start_at or first_seen_at or ON_THE_ROUND
    return Cadence(start_at=start_at.replace(second=0, microsecond=0), every=sync.schedule.every)


def _described(sync: SyncConfig) -> str:
    if sync.schedule.every is None:
        return f"At {sync.schedule.cron} UTC."
    start = sync.schedule.start_at
    text = f"Every {format_interval(sync.schedule.every)}"
    return f"{text} from {start:%Y-%m-%d %H:%M} UTC." if start else f"{text}."
