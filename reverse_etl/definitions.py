"""The code location: everything Dagster needs to know about the syncs of one folder.

``defs`` is what ``dagster -m reverse_etl.definitions`` loads: the folder named by ``REVERSE_ETL_SYNCS``
(default ``./syncs``). A Dagster project that has other assets too merges ``build_definitions`` with its own.
A folder with very many syncs is split into a code location a workspace by one line each in ``workspace.yaml``: the
workspace's name is an attribute of this module, with the syncs of that workspace alone.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import dagster as dg

from reverse_etl.config.garbage import garbage_left
from reverse_etl.config.loader import load_connections, load_project
from reverse_etl.config.syncs import SyncConfig
from reverse_etl.defs.failure import load_errors_in_words
from reverse_etl.defs.project import build_definitions, first_seen, folder_named

__all__ = ["build_definitions", "defs", "job"]


@cache
def job(folder: str, name: str) -> dg.JobDefinition:
    """The job of one sync of a folder, for a process that executes it; the files are read once."""
    return _of_folder(Path(folder), lambda sync: sync.name == name).resolve_job_def(name)


@dg.definitions
def defs() -> dg.Definitions:
    """The syncs of ``REVERSE_ETL_SYNCS``. Raises NotLoadedError, such as with every problem of every file."""
    with load_errors_in_words():
        return _of_folder(folder_named(), lambda _: True)


def __getattr__(name: str) -> dg.Definitions:
    """The syncs of the workspace of that name."""
    folder = folder_named()
    if name.startswith("_") or not folder.is_dir() or name not in load_connections(folder).destinations:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    with load_errors_in_words():
        return _of_folder(folder, lambda sync: sync.destination == name)


def _of_folder(folder: Path, wanted: Callable[[SyncConfig], bool]) -> dg.Definitions:
    with garbage_left():
        project = load_project(folder)
        project = replace(project, syncs={name: sync for name, sync in project.syncs.items() if wanted(sync)})
        return build_definitions(project, first_seen_at=first_seen(folder), tables=True)
