"""What several commands need: the folder of the syncs, one sync by name, the environment for Dagster."""

from __future__ import annotations

import difflib
import os
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.config.loader import ProjectConfig
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.state.home import Home

SyncsFolder = Annotated[
    Path, typer.Option("--syncs", envvar="REVERSE_ETL_SYNCS", help="The folder of connections.yaml and the syncs.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def sync_named(project: ProjectConfig, name: str) -> SyncConfig:
    """One sync. Raises ConfigError with the nearest name where there is none of that name."""
    if name not in project.syncs:
        near = difflib.get_close_matches(name, project.syncs, n=1)
        known = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(project.syncs)) or 'none'}."
        raise ConfigError(f"there is no sync named {name} in {project.directory}.", hint=known)
    return project.syncs[name]


def resolve_credentials(project: ProjectConfig, sync: SyncConfig) -> None:
    """Raises UnsetVariableError for the first missing variable of the sync's database and workspace."""
    from reverse_etl.config.environment import EnvText

    for connection in (project.databases[sync.database], project.workspaces[sync.workspace]):
        for name in type(connection).model_fields:
            value = getattr(connection, name)
            if isinstance(value, EnvText):
                value.resolve()


def dagster_environment(home: Home, syncs: Path) -> None:
    """Sets what Dagster reads: DAGSTER_HOME inside the home folder unless set, and the folder of the syncs."""
    os.environ["REVERSE_ETL_SYNCS"] = str(syncs.absolute())
    os.environ["REVERSE_ETL_HOME"] = str(home.path.absolute())
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    if "DAGSTER_HOME" not in os.environ:
        shipped_file(home, "dagster.yaml")
        os.environ["DAGSTER_HOME"] = str(home.dagster.absolute())


def shipped_file(home: Home, name: str) -> Path:
    """``dagster.yaml`` or ``workspace.yaml`` in the home folder: the user's own, or a copy of ours."""
    path = home.dagster / name
    if not path.exists():
        with as_file(files("reverse_etl.defs") / name) as shipped:
            shutil.copyfile(shipped, path)
    return path
