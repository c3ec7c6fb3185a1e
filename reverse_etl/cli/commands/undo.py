"""``undo``: takes back what a run changed, with the values that were acknowledged before it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder, resolve_credentials, runnable_project, sync_named
from reverse_etl.cli.tables import say
from reverse_etl.counted import counted

if TYPE_CHECKING:
    from rich.console import Console

    from reverse_etl.changes.undo import Undone
    from reverse_etl.report import RunReport
    from reverse_etl.run.undo import Undo
    from reverse_etl.state.store import Store

EXAMPLES: Final = ("undo 91ce04d7 --dry-run", "undo 91ce04d7 --yes")


def undo(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or its beginning, as in `history`.")],
    syncs: SyncsFolder = Path("syncs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be taken back; send nothing.")] = False,
    delete_added: Annotated[
        bool, typer.Option("--delete-added", help="Delete the rows that the run added (needs gone: delete).")
    ] = False,
    gone_max: Annotated[
        str, typer.Option("--gone-max", metavar="LIMIT", help="Delete up to this share (20%) or number of rows.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before sending.")] = False,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Dagster's own log on stderr.")] = False,
) -> None:
    """Take back what a run changed: send the values that were acknowledged before it, and pause the sync."""
    from reverse_etl.changeset.scope import Scope
    from reverse_etl.cli.commands.run import execute, show
    from reverse_etl.run.planned_run import rest_of
    from reverse_etl.run.undo import make_undo
    from reverse_etl.state.home import Home
    from reverse_etl.state.snapshots import snapshot_of
    from reverse_etl.state.store import open_store
    from reverse_etl.state.syncs import set_paused

    project = runnable_project(syncs)
    home = Home.from_environment(syncs)
    store = open_store(home.state_url)
    report = _called(store, run)
    sync = sync_named(project, report.sync)
    resolve_credentials(project, sync)
    database, destination = project.databases[sync.database], project.destinations[sync.destination]
    if gone_max and not delete_added:
        raise typer.BadParameter("goes with --delete-added.", param_hint="--gone-max")
    gone_max = Scope.of(gone_max=gone_max, mark="--").gone_max
    made = make_undo(sync, home, store, database, destination, report, delete_added=delete_added, gone_max=gone_max)
    people = words.console(stderr=not dry_run)
    if as_json and dry_run:
        words.print_json(asdict(made))
        return
    _show(made, sync.TITLE, people)
    if dry_run or not made.rows:
        say(people, "Nothing was sent.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("is needed where no one can answer: nothing was sent.", param_hint="--yes")
        typer.confirm("Send them, and pause the sync?", abort=True, err=True)
    set_paused(store, sync.name, paused=True)
    sent = execute(sync, syncs, scope=Scope(plan=made.plan_id), verbose=verbose)
    show(sent, people)
    if as_json:
        words.print_json_line(sent.as_json())
    if snapshot_of(store, sync.name).sending == made.plan_id:
        say(people, f"Not everything was taken back. {rest_of(sync.name, made.plan_id)}")
    say(
        people,
        f"{sync.name} is paused, because its query may still return what was taken back. To resume it: "
        f"reverse-etl resume {sync.name}",
    )
    raise typer.Exit(sent.exit_code)


def _called(store: Store, run_id: str) -> RunReport:
    """The run with an id, or the one that begins so, of any sync. Raises ConfigError."""
    from reverse_etl.errors import ConfigError
    from reverse_etl.state.run_history import runs_called

    found = runs_called(store, None, run_id)
    if len(found) != 1:
        what = "more than one run begins with" if found else "there is no run"
        raise ConfigError(f"{what} {run_id}.", hint="See the runs of a sync: reverse-etl history SYNC")
    return found[0]


def _show(made: Undo, title: str, console: Console) -> None:
    """What is taken back, and what is not, a line each."""
    _show_stream(made.undone, title, console, f"{made.sync}, run {made.run_id[:8]}: ")
    for name, found in made.further.items():
        _show_stream(found, title, console, f"{name}: ")
    for note in made.notes:
        say(console, f"  {note}", indent="  ")
    others = (*made.beside, "memberships of segments", "campaigns and messages that the values started")
    say(console, f"  Not taken back: {', '.join(others)}.", indent="  ")


def _show_stream(found: Undone, title: str, console: Console, of: str) -> None:
    attributes = " · ".join(f"{name} {rows:,}" for name, rows in found.attributes.items())
    back = f"{counted(found.rows, 'row')} to take back" + (f": {attributes}" if attributes else "")
    say(console, f"{of}{back}", style="bold")
    if found.removed:
        again = counted(found.removed, "row that it removed is", "rows that it removed are")
        say(console, f"  {again} sent again: what else {title} had of them does not come back.", indent="  ")
    if found.deleted:
        say(console, f"  {counted(found.deleted, 'row')} that the run added: to be deleted", indent="  ")
    if found.elsewhere:
        what = counted(found.elsewhere, "row that the run added stays", "rows that the run added stay")
        say(console, f"  {what}: another sync sends the same", indent="  ")
    stays = [
        (found.added, f"that the run added: left in {title}"),
        (found.changed_since, "that a later run replaced: left alone"),
        (found.in_doubt, "of which it is not known what arrived, or what was there before: left alone"),
        (found.never_ours, "before which nothing of this sync was there: left alone"),
    ]
    for place, (number, why) in enumerate(stays):
        if number:
            say(console, f"  {counted(number, 'value' if place else 'row')} {why}", indent="  ")
