"""``pause`` and ``resume``: intervals pass without a run, and the file stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder, sync_named, sync_names
from reverse_etl.cli.tables import say

if TYPE_CHECKING:
    from reverse_etl.config.syncs import ProjectConfig
    from reverse_etl.state.home import Home

SyncName = Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)]


def pause(sync: SyncName, syncs: SyncsFolder = Path("syncs"), as_json: AsJson = False) -> None:
    """Pause a sync: its due runs are left out until it is resumed; a run by hand still works."""
    project, home = _set(sync, syncs, paused=True)
    if as_json:
        _print_status(project, home, sync)
    say(words.console(stderr=True), f"{sync} is paused. To resume it: reverse-etl resume {sync}")


def resume(sync: SyncName, syncs: SyncsFolder = Path("syncs"), as_json: AsJson = False) -> None:
    """Resume a paused sync, in Dagster's UI too: it runs at its next due time and reads what changed meanwhile."""
    from reverse_etl.cli.toggles import switch_on
    from reverse_etl.errors import StateError

    project, home = _set(sync, syncs, paused=False)
    people = words.console(stderr=True)
    was_off = None
    try:
        was_off = switch_on(home, project.syncs[sync])
    except StateError as error:
        say(people, f"Warning: {error}")
    if as_json:
        _print_status(project, home, sync)
    more = {
        None: ", if its schedule is on in Dagster's UI.",
        True: ". Its schedule was off in Dagster's UI, and is on again.",
        False: ".",
    }
    say(people, f"{sync} is active: it runs at its next due time{more[was_off]}")


def _set(name: str, syncs: Path, *, paused: bool) -> tuple[ProjectConfig, Home]:
    from reverse_etl.config.loader import load_project
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store
    from reverse_etl.state.syncs import set_paused

    project, home = load_project(syncs), Home.from_environment(syncs)
    set_paused(open_store(home.state_url), sync_named(project, name).name, paused)
    return project, home


def _print_status(project: ProjectConfig, home: Home, name: str) -> None:
    """The sync's entry of ``status --json``."""
    from reverse_etl.cli.status import look

    (status,) = [each for each in look(project, home) if each.sync.name == name]
    words.print_json(status.as_json())
