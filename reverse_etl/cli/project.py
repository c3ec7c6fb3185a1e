"""What several commands need: the folder of the syncs, one sync by name, its credentials."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.config.loader import ProjectConfig
    from reverse_etl.config.syncs import SyncConfig

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
