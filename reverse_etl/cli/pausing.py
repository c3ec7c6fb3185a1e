"""``pause`` and ``resume``: intervals pass without a run, and the file stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reverse_etl.cli.project import SyncsFolder, sync_named

SyncName = Annotated[str, typer.Argument(help="The sync's name.")]


def pause(sync: SyncName, syncs: SyncsFolder = Path("syncs")) -> None:
    """Pause a sync: its due runs are left out until it is resumed; a run by hand still works."""
    _set(sync, syncs, paused=True)
    typer.echo(f"{sync} is paused. To go on: reverse-etl resume {sync}", err=True)


def resume(sync: SyncName, syncs: SyncsFolder = Path("syncs")) -> None:
    """Resume a paused sync: it runs at its next due time and reads what changed meanwhile."""
    _set(sync, syncs, paused=False)
    typer.echo(f"{sync} is active: it runs at its next due time, if its schedule is on in Dagster's UI.", err=True)


def _set(name: str, syncs: Path, *, paused: bool) -> None:
    from reverse_etl.config.loader import load_project
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store

    sync_named(load_project(syncs), name)
    open_store(Home.from_environment().state_url).set_paused(name, paused)
