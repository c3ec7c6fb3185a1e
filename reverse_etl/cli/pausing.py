"""Pausing a sync and resuming it: intervals pass without a run, and the file stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import sync_named, sync_names

if TYPE_CHECKING:
    from reverse_etl.config.syncs import ProjectConfig
    from reverse_etl.state.home import Home

SyncName = Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)]


def remember(name: str, syncs: Path, *, paused: bool) -> tuple[ProjectConfig, Home]:
    """Remembers whether a sync is paused. Raises ConfigError where there is no such sync."""
    from reverse_etl.config.loader import load_project
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store
    from reverse_etl.state.syncs import set_paused

    project, home = load_project(syncs), Home.from_environment(syncs)
    set_paused(open_store(home.state_url), sync_named(project, name).name, paused)
    return project, home


def print_status(project: ProjectConfig, home: Home, name: str) -> None:
    """The sync's entry of ``status --json``."""
    from reverse_etl.cli.commands.status import look_and_warn

    (status,) = [each for each in look_and_warn(project, home) if each.sync.name == name]
    words.print_json(status.as_json())
