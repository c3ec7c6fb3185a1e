"""Where in Dagster's workspace a run belongs that no page or clock launched: `reverse-etl run`, `dagster job execute`.

Dagster's Jobs page, a job's list of runs and the timeline show the runs of a code location; one that was executed
directly names none. Which location it is comes from ``workspace.yaml``, as it does for ``reverse-etl ui``.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import yaml
from dagster._check import CheckError
from dagster._core.code_pointer import CodePointer, CustomPointer, ModuleCodePointer
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import (
    CodeLocationOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RegisteredCodeLocationOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.tags import CODE_LOCATION_TAG, REPOSITORY_LABEL_TAG
from dagster._core.workspace.load import location_origins_from_yaml_paths

MODULE = "reverse_etl.definitions"
DEFAULT = RegisteredCodeLocationOrigin("reverse_etl")
"""The location of the shipped ``workspace.yaml``."""

_BROKEN = (dg.DagsterError, CheckError, yaml.YAMLError, OSError)
"""A ``workspace.yaml`` with a mistake, which Dagster's own commands report."""


def give_origin(instance: dg.DagsterInstance, run: dg.DagsterRun, workspace: str) -> None:
    """Files a run under the code location that has its job; one that is filed already, or is not of ours, stays.

    Args:
        instance: Where the run is.
        run: The run.
        workspace: The destination that it sends to, which may have a code location of its own.
    """
    if run.remote_job_origin is not None or not _of_our_module(run):
        return
    location = _location(workspace)
    repository = RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME)
    tags = {REPOSITORY_LABEL_TAG: repository.get_label(), CODE_LOCATION_TAG: location.location_name}
    instance.add_run_tags(run.run_id, tags)
    if (stored := instance.get_run_by_id(run.run_id)) is not None:
        instance.run_storage.replace_job_origin(stored, repository.get_job_origin(run.job_name))


def _of_our_module(run: dg.DagsterRun) -> bool:
    pointer: CodePointer | None = run.job_code_origin.repository_origin.code_pointer if run.job_code_origin else None
    if isinstance(pointer, CustomPointer):
        pointer = pointer.reconstructor_pointer
    return isinstance(pointer, ModuleCodePointer) and pointer.module == MODULE


def _location(workspace: str) -> CodeLocationOrigin:
    """The location that serves a workspace's syncs: the one that loads our module, or the only one there is."""
    locations = _locations()
    ours = [each for each in locations if _attribute(each) in {"", "defs", workspace}]
    return next(iter(ours or (locations if len(locations) == 1 else [])), DEFAULT)


def _locations() -> Sequence[CodeLocationOrigin]:
    for folder in (Path(), Path(os.environ.get("DAGSTER_HOME", ""))):
        if (path := folder / "workspace.yaml").is_file():
            try:
                return location_origins_from_yaml_paths([str(path)])
            except _BROKEN:
                return []
    return []


def _attribute(location: CodeLocationOrigin) -> str | None:
    """Which attribute of our module a location loads; empty for its ``defs``, None where it loads something else."""
    if not isinstance(location, ManagedGrpcPythonEnvCodeLocationOrigin):
        return None
    target = location.loadable_target_origin
    return (target.attribute or "") if target.module_name == MODULE else None
