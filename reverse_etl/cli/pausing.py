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
    from reverse_etl.state.syncs import is_paused, set_paused

    found, home = inspect_project(syncs), Home.from_environment(syncs)
    files = [path for path in (Path(problem.file) for problem in found.problems) if path.suffix in (".yaml", ".yml")]
    unreadable = {path.stem for path in files if "." not in path.stem} - NO_SYNCS
    require_named({*found.syncs} | unreadable, name, str(syncs.expanduser().absolute()))
    store = open_store(home.state_url)
    if not paused and (name not in found.configs or name in found.faulty):
        about = found.concerning([name])[0] if name in found.syncs else found.problems
        stays = f"{name} is not paused: there is nothing to resume."
        if is_paused(store, name):
            stays = f"{name} stays paused; resume it once {_mended(found, name)}: reverse-etl resume {name}"
        raise ConfigProblemsError(lines(about or found.problems), stays)
    set_paused(store, name, paused)
    return found, home


def _mended(found: Inspection, name: str) -> str:
    from reverse_etl.config.left_out import Reason

    why = found.left_out.get(name)
    own = why is not None and why.reason is Reason.OWN_FILE
    return "its file is mended" if own else "the files are mended"


def print_status(found: Inspection, home: Home, name: str) -> None:
    """The sync's entry of ``status --json``; what the state knows where its file is faulty."""
    from datetime import UTC, datetime

    from reverse_etl.cli.commands.status import look_and_warn
    from reverse_etl.state.store import open_store
    from reverse_etl.syncs_page.left_out_status import left_out_statuses

    every = look_and_warn(found.configs, home, left_out=found.left_out)
    shown = [each.as_json() for each in every if each.sync.name == name]
    if not shown:
        known = left_out_statuses({name: found.left_out.get(name)}, open_store(home.state_url), datetime.now(UTC))
        shown = [each.as_json() for each in known]
    words.print_json(shown[0])
