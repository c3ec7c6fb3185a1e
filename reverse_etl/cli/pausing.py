"""Pausing a sync and resuming it: intervals pass without a run, and the file stays as it is.

A fault in one file keeps no other sync from being paused: whoever pauses one wants it to stop now.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import NO_SYNCS, require_named, sync_names

if TYPE_CHECKING:
    from reverse_etl.config.inspection import Inspection
    from reverse_etl.state.home import Home

SyncName = Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)]


def remember(name: str, syncs: Path, *, paused: bool) -> tuple[Inspection, Home]:
    """Remembers whether a sync is paused, and gives what the folder has and the home.

    A sync can be paused whatever its files are like: Dagster may still run it as they were. To resume one, what it
    needs has to be in order.

    Raises:
        ConfigError: There is no such sync.
        ConfigProblemsError: Its own file cannot be used, and it is to be resumed.
    """
    from reverse_etl.config.loader import inspect_project
    from reverse_etl.config.problems import lines
    from reverse_etl.errors import ConfigProblemsError
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store
    from reverse_etl.state.syncs import set_paused

    found, home = inspect_project(syncs), Home.from_environment(syncs)
    files = [path for path in (Path(problem.file) for problem in found.problems) if path.suffix in (".yaml", ".yml")]
    unreadable = {path.stem for path in files if "." not in path.stem} - NO_SYNCS
    require_named({*found.syncs} | unreadable, name, str(syncs.expanduser().absolute()))
    if not paused and name not in found.configs:
        about = found.concerning([name])[0] if name in found.syncs else found.problems
        raise ConfigProblemsError(lines(about or found.problems))
    set_paused(open_store(home.state_url), name, paused)
    return found, home


def print_status(found: Inspection, home: Home, name: str) -> None:
    """The sync's entry of ``status --json``; no more than that it is paused where its file is faulty."""
    from reverse_etl.cli.commands.status import look_and_warn
    from reverse_etl.syncs_page.sync_status import left_out_as_json

    every = look_and_warn(found.configs, home, left_out=found.left_out)
    shown = [each for each in every if each.sync.name == name]
    unknown = {"sync": name, "sync_status": "paused", **left_out_as_json(found.left_out.get(name))}
    words.print_json(shown[0].as_json() if shown else unknown)
