"""What Dagster's instance knows of schedules: which are off in its UI, and whether a daemon runs the others.

Dagster is imported only where a schedule may be off: that takes a second, and most of the time none is.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reverse_etl.cli.dagster_home import dagster_folder
from reverse_etl.cli.dagster_settings import stored_elsewhere
from reverse_etl.errors import StateError

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.scheduler.instigation import InstigatorState

    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.state.home import Home

_DAEMON_SILENT_S: Final = 120


def switched_off(home: Home, syncs: Collection[SyncConfig]) -> set[str] | None:
    """The names of the syncs whose schedule is off in Dagster's UI; None where there is no Dagster instance.

    Raises:
        StateError: Dagster's storage cannot be read.
    """
    names = {sync.schedule_name: sync.name for sync in syncs if not sync.schedule.manual}
    folder = dagster_folder(home)
    elsewhere, file = stored_elsewhere(folder), folder / "schedules" / "schedules.db"
    if not elsewhere and not file.exists():
        return None
    if not names or not (elsewhere or _some_are_off(file)):
        return set()
    with _instance(folder) as instance:
        return {names[name] for name, state in _states(instance, names).items() if not state.is_running}


def daemon_runs(home: Home, now: datetime) -> bool:
    """Whether some daemon gave a sign of life in the last two minutes; each gives one a minute or more often.

    Raises:
        StateError: Dagster's storage cannot be read.
    """
    folder = dagster_folder(home)
    file = folder / "history" / "runs.db"
    if stored_elsewhere(folder):
        with _instance(folder) as instance:
            seen = max((each.timestamp for each in instance.get_daemon_heartbeats().values()), default=0.0)
    else:
        seen = _newest_sign(file) if file.exists() else 0.0
    return now.timestamp() - seen < _DAEMON_SILENT_S


def switch_on(home: Home, sync: SyncConfig) -> bool | None:
    """Turns a sync's schedule on as the UI's toggle does; returns whether it was off, None without a Dagster instance.

    Raises:
        StateError: Dagster's storage cannot be read or written.
    """
    if not (off := switched_off(home, [sync])):
        return None if off is None else False
    from dagster._core.scheduler.instigation import InstigatorStatus, ScheduleInstigatorData

    with _instance(dagster_folder(home)) as instance:
        state = _states(instance, [sync.schedule_name])[sync.schedule_name]
        cron = state.instigator_data.cron_schedule if isinstance(state.instigator_data, ScheduleInstigatorData) else ""
        since = ScheduleInstigatorData(cron, datetime.now(UTC).timestamp())
        instance.update_instigator_state(state.with_status(InstigatorStatus.RUNNING).with_data(since))
    return True


def _newest_sign(file: Path) -> float:
    """When a daemon last gave a sign of life, by Dagster's file, in Unix seconds: seen without Dagster."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            (newest,) = database.execute("SELECT MAX(timestamp) FROM daemon_heartbeats").fetchone()
    except sqlite3.OperationalError:  # no daemon has made its table yet
        return 0.0
    return datetime.fromisoformat(newest).replace(tzinfo=UTC).timestamp() if newest else 0.0


def _some_are_off(file: Path) -> bool:
    """Whether any schedule or sensor in Dagster's file is off, or may be: seen without Dagster."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return database.execute("SELECT 1 FROM instigators WHERE status = 'STOPPED' LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return True


@contextmanager
def _instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    import dagster as dg
    import sqlalchemy as sa
    import yaml

    failures: tuple[type[Exception], ...] = (
        dg.DagsterError,
        sa.exc.SQLAlchemyError,
        yaml.YAMLError,
        ImportError,
        OSError,
    )
    with suppress(ImportError):
        from dagster_postgres.utils import DagsterPostgresException

        failures = (*failures, DagsterPostgresException)
    logging.disable(logging.WARNING)  # Dagster's storage logs each attempt to connect
    try:
        with dg.DagsterInstance.from_config(str(folder)) as instance:
            yield instance
    except failures as error:
        raise StateError(
            f"whether schedules are on in Dagster's UI cannot be read by {folder / 'dagster.yaml'}: "
            f"{type(error).__name__}.",
            hint="See that its database answers, and set the variables that it names, as Dagster's daemon has them.",
        ) from None
    finally:
        logging.disable(logging.NOTSET)


def _states(instance: dg.DagsterInstance, names: Collection[str]) -> dict[str, InstigatorState]:
    """What Dagster remembers of schedules; of one that had several code locations, where it ticked last."""
    from dagster._core.definitions.run_request import InstigatorType

    found: dict[str, InstigatorState] = {}
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        name = state.instigator_name
        if name in names and (name not in found or _ticked(instance, found[name]) < _ticked(instance, state)):
            found[name] = state
    return found


def _ticked(instance: dg.DagsterInstance, state: InstigatorState) -> float:
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    return ticks[0].timestamp if ticks else 0.0
