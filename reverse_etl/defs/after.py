"""The sensor that starts syncs with ``schedule: {after: …}``: when what they wait for was made, or their wait is over.

Why it is no automation condition: those start runs without a sync's job and its tags, know no workspace that is busy,
and no longest wait (``docs/decisions``). What it has seen is in its cursor, by sync: a mark of each asset and each sync
that is waited for, as it was when the sync was last started. Nothing that came meanwhile is lost: it stays new, until
a run of the sync, whoever started it, begins after it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from reverse_etl.config.syncs import ProjectConfig, SyncConfig
from reverse_etl.defs.assets import HOME
from reverse_etl.defs.not_now import not_now
from reverse_etl.defs.overlap import UNFINISHED, runs_in_the_way
from reverse_etl.defs.specs import ProjectSpecs
from reverse_etl.schedule.after import at_the_latest, has_come, used_up
from reverse_etl.state.kept import kept_store
from reverse_etl.state.pieces import readings_under_way
from reverse_etl.state.run_history import last_delivered, last_reading_at, latest_runs, readings_in
from reverse_etl.state.run_ids import dagster_run_of
from reverse_etl.state.store import Store
from reverse_etl.state.syncs import SyncState, every_sync, note_interval, record_seen

NAME = "syncs_after_others"
EVERY_S = 15


@dataclass(slots=True)
class Seen:
    """What the sensor remembers of one sync.

    Attributes:
        marks: Of what it waits for, when it was last started or paused, or when a run of it began that others started.
        started_at: When the sensor last started it; None before.
    """

    marks: dict[str, str] = field(default_factory=dict)
    started_at: datetime | None = None


def after_sensor(
    project: ProjectConfig, specs: ProjectSpecs, jobs: Sequence[UnresolvedAssetJobDefinition]
) -> dg.SensorDefinition | None:
    """The sensor of a project's syncs that run after others; None where there is none.

    Args:
        project: The syncs.
        specs: Their assets.
        jobs: Every job of the project.
    """
    syncs = [sync for sync in project.syncs.values() if sync.schedule.after]
    if not syncs:
        return None
    names = {sync.name for sync in syncs}

    @dg.sensor(
        name=NAME,
        jobs=[job for job in jobs if job.name in names],
        minimum_interval_seconds=EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts syncs when what they read, or the syncs they run after, were made again, and at the latest "
        "after their longest wait.",
        required_resource_keys={HOME},
    )
    def syncs_after_others(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        store = kept_store(getattr(context.resources, HOME).home.state_url)
        look = _Look(context.instance, store, datetime.now(UTC), _read(context.cursor), project.directory)
        requests = look.due(syncs, specs)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason("\n".join(look.notes) or "Nothing new."),
            cursor=_written(look.seen, names),
        )

    return syncs_after_others


@dataclass(frozen=True, slots=True)
class _Made:
    """What was made last: its mark, when, aware UTC, and in which of Dagster's runs; empty for none."""

    mark: str
    at: datetime
    dagster_run_id: str


@dataclass(slots=True)
class _Look:
    instance: dg.DagsterInstance
    store: Store
    now: datetime
    seen: dict[str, Seen]
    folder: Path
    notes: list[str] = field(default_factory=list)

    def due(self, syncs: Sequence[SyncConfig], specs: ProjectSpecs) -> list[dg.RunRequest]:
        """The runs to start now: one of a workspace at most, and none where another run has it."""
        awaited = {sync.name: specs.syncs[sync.name].awaited for sync in syncs}
        made = self._made(syncs, {key for keys in awaited.values() for key in keys})
        states = {state.name: state for state in every_sync(self.store)}
        started = {name: run.started_at for name, run in latest_runs(self.store, *awaited).items()}
        waiting: list[tuple[datetime, SyncConfig, dict[str, str], str]] = []
        for sync in syncs:
            first_seen_at = record_seen(self.store, sync.name, sync.destination, self.now)
            every = sync.schedule.every
            note_interval(self.store, sync.name, None if every is None else every.total_seconds())
            names = [*map(_asset, awaited[sync.name]), *map(_sync, sync.schedule.after_syncs)]
            own = {name: made[name].mark if name in made else "" for name in names}
            seen = self._seen(sync, own, ran=sync.name in started)
            if why := not_now(self.folder, sync.name):
                self.notes.append(why)
                continue
            last = max(filter(None, (started.get(sync.name), seen.started_at)), default=None)
            if states.get(sync.name, SyncState(sync.name)).paused:
                seen.marks = own
                self.notes.append(f"{sync.name} is paused: `reverse-etl resume {sync.name}` lets it run again.")
                continue
            latest = at_the_latest(sync.schedule, last, first_seen_at)
            if self._has_come(sync, own, seen, made):
                if making := self._in_progress(awaited[sync.name]):
                    self.notes.append(f"{sync.name} waits until {making.to_user_string()} is made.")
                else:
                    waiting.append((last or first_seen_at, sync, own, f"{sync.name} {_digest(own)}"))
            elif latest is not None and latest <= self.now:
                waiting.append((last or first_seen_at, sync, own, f"{sync.name} at the latest {latest.isoformat()}"))
        return list(self._started(waiting))

    def _has_come(self, sync: SyncConfig, own: Mapping[str, str], seen: Seen, made: Mapping[str, _Made]) -> bool:
        """Whether what a sync waits for is there, and no run of it, whoever started it, began after that."""
        each = not sync.schedule.after_upstream
        if not has_come(own, seen.marks, each=each):
            return False
        new = {name: made[name] for name, mark in own.items() if mark and mark != seen.marks.get(name)}
        made_at = {name: each.at for name, each in new.items()}
        began_at = last_reading_at(self.store, sync.name, since=min(made_at.values()))
        together = readings_in(self.store, sync.name, {each.dagster_run_id for each in new.values()} - {""})
        used = used_up(made_at, began_at) | {name for name, each in new.items() if each.dagster_run_id in together}
        if used:
            seen.marks = {**seen.marks, **{name: own[name] for name in used}}
            self.notes.append(f"{sync.name} has run since {', '.join(sorted(used))} came.")
        return has_come(own, seen.marks, each=each)

    def _started(self, waiting: list[tuple[datetime, SyncConfig, dict[str, str], str]]) -> Iterable[dg.RunRequest]:
        """The sync of a workspace that ran longest ago; the others stay due."""
        taken: set[str] = set()
        for _, sync, marks, key in sorted(waiting, key=lambda each: (each[0], each[1].name)):
            ahead = runs_in_the_way(self.instance, self.store, sync.destination)
            if ahead or sync.destination in taken:
                why = ahead[0].describe(sync.destination) if ahead else f"another sync starts in {sync.destination}"
                self.notes.append(f"{sync.name} waits: {why}.")
                continue
            taken.add(sync.destination)
            self.seen[sync.name] = Seen(marks, self.now)
            yield dg.RunRequest(run_key=key, job_name=sync.name)

    def _seen(self, sync: SyncConfig, marks: dict[str, str], *, ran: bool) -> Seen:
        """What is remembered; of a sync that is new here and has run before, what is there now."""
        known = self.seen.get(sync.name)
        if known is None:
            known = self.seen[sync.name] = Seen(dict(marks) if ran else {})
        return known

    def _made(self, syncs: Sequence[SyncConfig], assets: set[dg.AssetKey]) -> dict[str, _Made]:
        """Everything that was ever made and that some sync waits for."""
        records = self.instance.get_asset_records(sorted(assets)) if assets else []
        made = {
            _asset(record.asset_entry.asset_key): _Made(
                str(last.storage_id), datetime.fromtimestamp(last.timestamp, UTC), last.run_id
            )
            for record in records
            if (last := record.asset_entry.last_materialization_record) is not None
        }
        # Of a sync that reads everything in pieces, one piece is no delivery to run after.
        others = {name for sync in syncs for name in sync.schedule.after_syncs} - readings_under_way(self.store).keys()
        delivered = last_delivered(self.store, others).items()
        return made | {
            _sync(name): _Made(delivery.run_id, delivery.ended_at, dagster_run_of(delivery.run_id, name))
            for name, delivery in delivered
        }

    def _in_progress(self, assets: Iterable[dg.AssetKey]) -> dg.AssetKey | None:
        """One of the assets that an unfinished run is going to make, or makes."""
        for key in assets:
            planned = self.instance.get_latest_planned_materialization_info(key)
            run = self.instance.get_run_by_id(planned.run_id) if planned is not None else None
            if run is not None and run.status in UNFINISHED:
                record = self.instance.get_latest_materialization_event(key)
                if record is None or record.run_id != run.run_id:
                    return key
        return None


def _asset(key: dg.AssetKey) -> str:
    return f"key:{key.to_user_string()}"


def _sync(name: str) -> str:
    return f"sync:{name}"


def _digest(marks: Mapping[str, str]) -> str:
    """A short text that differs with every mark: Dagster keeps it as a tag of the run."""
    return hashlib.sha256(json.dumps(dict(marks), sort_keys=True).encode()).hexdigest()[:16]


def _read(cursor: str | None) -> dict[str, Seen]:
    stored: dict[str, Any] = json.loads(cursor) if cursor else {}
    return {
        name: Seen(each["marks"], datetime.fromisoformat(each["started_at"]) if each["started_at"] else None)
        for name, each in stored.items()
    }


def _written(seen: Mapping[str, Seen], names: set[str]) -> str:
    kept = {name: each for name, each in seen.items() if name in names}
    return json.dumps(
        {
            name: {"marks": each.marks, "started_at": each.started_at.isoformat() if each.started_at else None}
            for name, each in kept.items()
        }
    )
