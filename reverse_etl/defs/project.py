"""What the syncs of a folder are in Dagster, put together: for the shipped code location, and for a user's project."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from reverse_etl.config.garbage import garbage_left
from reverse_etl.config.loader import load_runnable
from reverse_etl.config.syncs import ProjectConfig, SyncConfig
from reverse_etl.defs.after import after_sensor
from reverse_etl.defs.alerts import alerts_sensor
from reverse_etl.defs.assets import HOME, VALIDATED_ROWS, sync_assets
from reverse_etl.defs.failure import load_errors_in_words
from reverse_etl.defs.io_managers import ValidatedRowsIOManager
from reverse_etl.defs.jobs import sync_job
from reverse_etl.defs.left_out import unknown_syncs
from reverse_etl.defs.never_started import never_started_sensor
from reverse_etl.defs.next_pieces import next_pieces_sensor
from reverse_etl.defs.resources import DatabaseResource, HomeResource, database_key, destination_resource
from reverse_etl.defs.run_retention import run_retention_sensor
from reverse_etl.defs.schedules import sync_schedule
from reverse_etl.defs.specs import project_specs, table_specs
from reverse_etl.defs.spot_checks import spot_check
from reverse_etl.defs.translator import SyncTranslator
from reverse_etl.state.home import Home
from reverse_etl.state.store import Store, open_store
from reverse_etl.state.syncs import record_seen, times_first_seen


def build_definitions(
    syncs: ProjectConfig | Path | str | None = None,
    resources: Mapping[str, object] | None = None,
    first_seen_at: Callable[[SyncConfig], datetime] | None = None,
    *,
    translator: SyncTranslator | None = None,
    tables: bool = False,
) -> dg.Definitions:
    """Assets, checks, jobs, schedules, sensors and resources of a folder of syncs, to be merged with a project's own.

    They bring no executor: each sync's job has its own, and everything else runs as the project has it. The tables that
    queries read are dependencies without a definition, so that an asset of the project may have the same key.

    Args:
        syncs: The folder; None: ``$REVERSE_ETL_SYNCS``, or ``./syncs``. Or its files, as ``load_project`` read them:
            these are a code location of their own, with an executor that runs everything in one process.
        resources: Replaces resources by key: ``database_NAME``, ``TYPE_NAME`` of a destination, ``reverse_etl_home``.
        first_seen_at: Where an interval without ``start_at`` starts to count; None: when the state first saw the sync,
            or on the round for files that are already read.
        translator: Changes keys, groups, owners, tags and automation conditions of the assets.
        tables: Defines the tables too, so that Dagster's pages show them; for a project without assets of their keys.

    Raises:
        NotLoadedError: A faulty file stops every sync: every problem of every file, with its line.
    """
    translator = translator or SyncTranslator()
    if isinstance(syncs, ProjectConfig):
        return _alone(_build(syncs, resources, first_seen_at, translator=translator, tables=tables))
    folder = folder_named() if syncs is None else Path(syncs)
    with load_errors_in_words(), garbage_left():
        seen_at = first_seen_at or first_seen(folder)
        return _build(load_runnable(folder), resources, seen_at, translator=translator, tables=tables)


def _build(
    project: ProjectConfig,
    resources: Mapping[str, object] | None,
    first_seen_at: Callable[[SyncConfig], datetime] | None,
    *,
    translator: SyncTranslator,
    tables: bool,
) -> dg.Definitions:

    def seen_at(sync: SyncConfig) -> datetime | None:
        counts_from_first_seen = sync.schedule.every is not None and sync.schedule.start_at is None
        return first_seen_at(sync) if first_seen_at and counts_from_first_seen else None

    unknown = list(unknown_syncs(project))
    project = replace(project, syncs={**project.syncs, **_healthy(project)})
    specs = project_specs(project, translator)
    assets, asset_checks, schedules = [], [], []
    jobs: list[UnresolvedAssetJobDefinition] = []
    for sync in project.syncs.values():
        own = sync_assets(sync, project, specs.syncs[sync.name])
        schedule = sync_schedule(sync, seen_at(sync), folder=project.directory)
        assets += own
        jobs.append(sync_job(sync, own))
        schedules += [schedule] if schedule else []
        if (look := spot_check(sync, specs.syncs[sync.name], folder=project.directory)) is not None:
            asset_checks.append(look.check)
            jobs.append(look.job)
            schedules.append(look.schedule)
    # A definition each: loose specs would be merged into one, and every job that touches one of them would carry all.
    outside = [*specs.destinations, *(table_specs(project, specs) if tables else [])]
    assets += [dg.AssetsDefinition(specs=[spec]) for spec in outside]
    sensors: list[dg.SensorDefinition | None] = [never_started_sensor(project, specs)]
    sensors += [next_pieces_sensor(project.syncs.values(), jobs, folder=project.directory)]
    sensors += [run_retention_sensor(project, specs)]
    sensors += [alerts_sensor(project)] if project.notify else []
    sensors.append(after_sensor(project, specs, jobs))
    return dg.Definitions(
        assets=assets,
        asset_checks=asset_checks,
        jobs=[*jobs, *(job for job, _ in unknown)],
        schedules=[*schedules, *(schedule for _, schedule in unknown if schedule is not None)],
        sensors=[sensor for sensor in sensors if sensor is not None],
        resources={**connections(project), **(resources or {})},
    )


def _healthy(project: ProjectConfig) -> dict[str, SyncConfig]:
    """The syncs that only another file leaves out: their assets stay in the graph, and their runs fail at once."""
    return {name: why.healthy for name, why in project.left_out.items() if why.healthy is not None}


def connections(project: ProjectConfig) -> dict[str, object]:
    """The resources of a project: its databases, its destinations, the home folder and the loader of validated rows."""
    syncs = str(project.directory)
    return {
        HOME: HomeResource(syncs=syncs),
        VALIDATED_ROWS: ValidatedRowsIOManager(syncs=syncs),
        **{database_key(name): DatabaseResource(name=name, syncs=syncs) for name in project.databases},
        **dict(destination_resource(each, syncs) for each in project.destinations.values()),
    }


def folder_named() -> Path:
    """The folder of the syncs that the environment names. It may not exist."""
    return Path(os.environ.get("REVERSE_ETL_SYNCS", "syncs"))


def first_seen(folder: Path) -> Callable[[SyncConfig], datetime]:
    """When the state of a folder first saw a sync: now, where it never did. The state is read at the first call."""

    @cache
    def state() -> tuple[Store, Mapping[str, datetime]]:
        store = open_store(Home.from_environment(folder).state_url)
        return store, times_first_seen(store)

    def seen_at(sync: SyncConfig) -> datetime:
        store, known = state()
        return known.get(sync.name) or record_seen(store, sync.name, sync.destination, datetime.now(UTC))

    return seen_at


def _alone(definitions: dg.Definitions) -> dg.Definitions:
    """A code location of syncs alone: what has no job of its own, such as "Materialize", runs in one process too."""
    return dg.Definitions.merge(definitions, dg.Definitions(executor=dg.in_process_executor))
