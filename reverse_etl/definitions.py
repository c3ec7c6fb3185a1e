"""The code location: everything Dagster needs to know about the syncs of one folder.

``defs`` is what ``dagster -m reverse_etl.definitions`` loads: the folder named by ``REVERSE_ETL_SYNCS``
(default ``./syncs``). A Dagster project that has other assets too merges ``build_definitions`` with its own.
A folder with very many syncs is split into a code location a workspace by one line each in ``workspace.yaml``: the
workspace's name is an attribute of this module, with the syncs of that workspace alone.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cache
from pathlib import Path

import dagster as dg

from reverse_etl.config.garbage import garbage_left
from reverse_etl.config.loader import load_connections, load_runnable
from reverse_etl.config.read_once import project_once
from reverse_etl.config.syncs import ProjectConfig, SyncConfig
from reverse_etl.defs.failure import load_errors_in_words
from reverse_etl.defs.project import build_definitions, first_seen, folder_named
from reverse_etl.defs.started_for import started_for

__all__ = ["build_definitions", "defs", "job"]


@cache
def job(folder: str, name: str) -> dg.JobDefinition:
    """The job of one sync of a folder, for a process that executes it; the files are those that it has read."""
    project = project_once(Path(folder))
    return _of_project(project, {name}).resolve_job_def(name)


@dg.definitions
def defs() -> dg.Definitions:
    """The syncs of ``REVERSE_ETL_SYNCS``. Raises NotLoadedError, such as with every problem of every file."""
    with load_errors_in_words():
        return _of_folder(folder_named(), lambda _: True, started_for(__name__, "defs"))


def __getattr__(name: str) -> dg.Definitions:
    """The syncs of the workspace of that name."""
    folder = folder_named()
    if name.startswith("_") or not folder.is_dir() or name not in load_connections(folder).destinations:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    with load_errors_in_words():
        return _of_folder(folder, lambda sync: sync.destination == name, started_for(__name__, name))


def _of_folder(folder: Path, wanted: Callable[[SyncConfig], bool], job: str = "") -> dg.Definitions:
    """The wanted syncs of a folder; in the process of one sync's run, that sync alone."""
    with garbage_left():
        project = load_runnable(folder)
        names = [name for name, sync in project.syncs.items() if wanted(sync)]
        names += [name for name, why in project.left_out.items() if why.sync is None or wanted(why.sync)]
        return _of_project(project, [job] if job in names else names)


def _of_project(project: ProjectConfig, names: Collection[str]) -> dg.Definitions:
    """The syncs of these names, also those that faulty files leave out."""
    with garbage_left():
        syncs = {name: sync for name, sync in project.syncs.items() if name in names}
        left_out = {name: why for name, why in project.left_out.items() if name in names}
        some = replace(project, syncs=syncs, left_out=left_out)
        return build_definitions(some, first_seen_at=first_seen(project.directory), tables=True)
