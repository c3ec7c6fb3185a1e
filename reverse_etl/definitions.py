"""The code location: everything Dagster needs to know about the syncs of one folder.

``defs`` is what ``dagster -m reverse_etl.definitions`` loads: the folder named by ``REVERSE_ETL_SYNCS``
(default ``./syncs``). ``build_definitions`` builds the same from a project and lets a caller replace resources.
A folder with very many syncs is split into a code location a workspace by one line each in ``workspace.yaml``: the
workspace's name is an attribute of this module, with the syncs of that workspace alone.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import dagster as dg

from reverse_etl.config.loader import garbage_left, load_connections, load_project
from reverse_etl.config.syncs import ProjectConfig, SyncConfig
from reverse_etl.defs.alerts import alerts_sensor
from reverse_etl.defs.assets import HOME, VALIDATED_ROWS, sync_assets
from reverse_etl.defs.failure import load_errors_in_words
from reverse_etl.defs.io_managers import ValidatedRowsIOManager
from reverse_etl.defs.jobs import sync_job
from reverse_etl.defs.lineage import outside_assets
from reverse_etl.defs.never_started import never_started_sensor
from reverse_etl.defs.resources import CustomerIOResource, DatabaseResource, HomeResource, database_key, workspace_key
from reverse_etl.defs.schedules import sync_schedule
from reverse_etl.state.home import Home
from reverse_etl.state.store import open_store


def build_definitions(
    project: ProjectConfig,
    resources: Mapping[str, object] | None = None,
    first_seen_at: Callable[[SyncConfig], datetime] | None = None,
) -> dg.Definitions:
    """Assets, checks, jobs, schedules and resources of a project's syncs.

    Args:
        project: The checked files.
        resources: Replaces resources by key: ``database_NAME``, ``customerio_NAME``, ``reverse_etl_home``.
        first_seen_at: Where an interval without ``start_at`` starts to count; None: on the round.
    """
    assets, jobs, schedules = [], [], []
    for sync in project.syncs.values():
        own = sync_assets(sync, project)
        counts_from_first_seen = sync.schedule.every is not None and sync.schedule.start_at is None
        seen_at = first_seen_at(sync) if first_seen_at and counts_from_first_seen else None
        schedule = sync_schedule(sync, seen_at)
        assets += own
        jobs.append(sync_job(sync, own))
        schedules += [schedule] if schedule else []
    return dg.Definitions(
        assets=[*assets, *outside_assets(project)],
        jobs=jobs,
        schedules=schedules,
        sensors=[never_started_sensor(project), *([alerts_sensor(project)] if project.notify else [])],
        resources={**connections(project), **(resources or {})},
        executor=dg.in_process_executor,
    )


def connections(project: ProjectConfig) -> dict[str, object]:
    """The resources of a project: its databases, its workspaces, the home folder and the loader of validated rows."""
    syncs = str(project.directory)
    return {
        HOME: HomeResource(syncs=syncs),
        VALIDATED_ROWS: ValidatedRowsIOManager(syncs=syncs),
        **{database_key(name): DatabaseResource(name=name, syncs=syncs) for name in project.databases},
        **{workspace_key(name): CustomerIOResource(name=name, syncs=syncs) for name in project.workspaces},
    }


@cache
def job(folder: str, name: str) -> dg.JobDefinition:
    """The job of one sync of a folder, for a process that executes it; the files are read once."""
    return _of_folder(Path(folder), lambda sync: sync.name == name).resolve_job_def(name)


@dg.definitions
def defs() -> dg.Definitions:
    """The syncs of ``REVERSE_ETL_SYNCS``. Raises NotLoadedError, such as with every problem of every file."""
    with load_errors_in_words():
        return _of_folder(_folder(), lambda _: True)


def __getattr__(name: str) -> dg.Definitions:
    """The syncs of the workspace of that name."""
    folder = _folder()
    if name.startswith("_") or not folder.is_dir() or name not in load_connections(folder).workspaces:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    with load_errors_in_words():
        return _of_folder(folder, lambda sync: sync.workspace == name)


def _folder() -> Path:
    return Path(os.environ.get("REVERSE_ETL_SYNCS", "syncs"))


def _of_folder(folder: Path, wanted: Callable[[SyncConfig], bool]) -> dg.Definitions:
    store = cache(lambda: open_store(Home.from_environment(folder).state_url))

    def first_seen_at(sync: SyncConfig) -> datetime:
        return store().record_seen(sync.name, sync.workspace, datetime.now(UTC))

    with garbage_left():
        project = load_project(folder)
        project = replace(project, syncs={name: sync for name, sync in project.syncs.items() if wanted(sync)})
        return build_definitions(project, first_seen_at=first_seen_at)
