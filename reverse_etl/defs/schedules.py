"""One schedule per sync: Dagster's clock ticks on a covering cron grid, and the tick asks whether a run is due."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.storage.tags import PRIORITY_TAG

from reverse_etl.config.schedule import ScheduleConfig
from reverse_etl.config.syncs import SyncConfig
from reverse_etl.defs.assets import HOME
from reverse_etl.defs.not_now import not_now
from reverse_etl.defs.overlap import InTheWay, runs_in_the_way
from reverse_etl.schedule.cadence import Cadence, first_due, format_interval
from reverse_etl.schedule.longest_interval import longest_interval
from reverse_etl.state.in_a_row import InARow, in_a_row
from reverse_etl.state.kept import kept_store
from reverse_etl.state.runs import record_skipped
from reverse_etl.state.store import Store
from reverse_etl.state.syncs import is_paused, note_interval, note_tick

ON_THE_ROUND = datetime(2020, 1, 5, tzinfo=UTC)
"""A Sunday midnight."""


def sync_schedule(
    sync: SyncConfig, first_seen_at: datetime | None = None, *, folder: Path
) -> dg.ScheduleDefinition | None:
    """The schedule of a sync; None when it only runs by hand, or after others.

    Args:
        sync: The sync.
        first_seen_at: Where an interval without ``start_at`` starts to count; aware. None: on the round.
        folder: Of the files, which are looked at again at each due time.
    """
    cron, cadence = covering_cron(sync.schedule, first_seen_at), _cadence(sync.schedule, first_seen_at)
    if cron is None:
        return None

    @dg.schedule(
        name=sync.schedule_name,
        job_name=sync.name,
        cron_schedule=cron,
        execution_timezone="UTC",
        description=_described(sync),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        required_resource_keys={HOME},
    )
    def due(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        at = context.scheduled_execution_time
        # Before the tick is noted: a due time that passes meanwhile is missed, for the next tick to make up for.
        if why := not_now(folder, sync.name):
            return dg.SkipReason(why)
        store = kept_store(getattr(context.resources, HOME).home.state_url)
        every = longest_interval(sync.schedule, at)
        note_interval(store, sync.name, None if every is None else every.total_seconds())
        due_at = at if cadence is None else _due(context, cadence, sync, store)
        if due_at is None and cadence is not None:
            return dg.SkipReason(f"Not due: the next run is at {cadence.next_due(at):%Y-%m-%d %H:%M} UTC.")
        if is_paused(store, sync.name):
            return dg.SkipReason(f"Paused: `reverse-etl resume {sync.name}` lets it run again.")
        runs = runs_in_the_way(context.instance, store, sync.destination)
        blocking = _blocking(sync, runs)
        if blocking is not None:
            reason = f"Skipped: {blocking.describe(sync.destination)}."
            record_skipped(store, sync.name, sync.destination, due_at or at, blocking.run_id, message=reason)
            if sync.schedule.overlap == "wait":
                context.instance.add_run_tags(blocking.run_id, _priority(sync, store))
            return dg.SkipReason(reason)
        return dg.RunRequest(tags=_priority(sync, store) if sync.schedule.overlap == "wait" else {})

    return due


def _due(context: dg.ScheduleEvaluationContext, cadence: Cadence, sync: SyncConfig, store: Store) -> datetime | None:
    """The due time that this tick is to answer: its own, or the latest that was missed."""
    at = context.scheduled_execution_time
    grid = f"{cadence.start_at:%Y-%m-%dT%H:%M} {format_interval(cadence.every)}"
    before = note_tick(store, sync.name, sync.destination, grid=grid, at=at)
    if cadence.is_due(at):
        return at
    missed = cadence.missed(before, at)
    # A schedule that was off, or not yet there, has missed nothing.
    return missed if missed is not None and _on_since(context.instance, sync, at) <= missed else None


def _on_since(instance: dg.DagsterInstance, sync: SyncConfig, now: datetime) -> datetime:
    """When the sync's schedule was switched on last, or the daemon first saw it; now where neither is known."""
    states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    switched = [
        getattr(state.instigator_data, "start_timestamp", None) or 0.0
        for state in states
        if state.instigator_name == sync.schedule_name
    ]
    return datetime.fromtimestamp(max(switched, default=now.timestamp()), UTC)


def _blocking(sync: SyncConfig, runs: list[InTheWay]) -> InTheWay | None:
    """The run for which this one is skipped; of a sync that waits, only one that waits itself."""
    if sync.schedule.overlap == "wait":
        return next((run for run in runs if run.sync == sync.name and not run.began), None)
    return next(iter(runs), None)


def _priority(sync: SyncConfig, store: Store) -> dict[str, str]:
    """The tag by which, of runs that wait, that of the sync leaves the queue first which was skipped most often."""
    with store.reading() as connection:
        skipped = in_a_row(connection, [sync.name]).get(sync.name, InARow()).skipped
    return {PRIORITY_TAG: str(skipped)} if skipped else {}


def covering_cron(schedule: ScheduleConfig, first_seen_at: datetime | None = None) -> str | list[str] | None:
    """The ticks among which the due times are; None where Dagster's clock starts nothing."""
    if schedule.after:
        return None  # the sensor in ``after`` looks for what it waits for
    if schedule.cron is not None:
        return schedule.cron
    cadence = _cadence(schedule, first_seen_at)
    crons = cadence.cron_covering() if cadence is not None else []
    return (crons[0] if len(crons) == 1 else crons) or None


def _cadence(schedule: ScheduleConfig, first_seen_at: datetime | None) -> Cadence | None:
    if schedule.every is None:
        return None
    start_at = schedule.start_at or (first_due(first_seen_at) if first_seen_at else ON_THE_ROUND)
    return Cadence(start_at=start_at, every=schedule.every)


def _described(sync: SyncConfig) -> str:
    if sync.schedule.every is None:
        return f"At {sync.schedule.cron} UTC."
    start = sync.schedule.start_at
    text = f"Every {format_interval(sync.schedule.every)}"
    return f"{text} from {start:%Y-%m-%d %H:%M} UTC." if start else f"{text}."
