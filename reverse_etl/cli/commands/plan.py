"""``plan``: what a run would do, row counts and requests, before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.bars import shown_progress
from reverse_etl.cli.project import (
    Accept,
    AddsMax,
    AsJson,
    GoneMax,
    SyncsFolder,
    UpdatesMax,
    resolve_credentials,
    runnable_project,
    sync_named,
    sync_names,
)
from reverse_etl.cli.tables import say
from reverse_etl.errors import CheckFailedError, ReverseEtlError
from reverse_etl.syncs_page.plan_lines import conclusion, heading, lines, lines_in_table, removed_attributes

if TYPE_CHECKING:
    from rich.console import Console

    from reverse_etl.changes.changed_rows import ChangedRow
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.run.planned import Plan
    from reverse_etl.syncs_page.plan_lines import Lines

EXAMPLES: Final = ("plan customers", "plan customers --json", "plan customers --full", "plan customers --values")

_LONGEST: Final = 40
"""Characters of a value."""

SOMETHING_TO_SEND: Final = 10
"""The exit code with ``--exit-code`` where rows would be sent."""


def plan(
    sync: Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)],
    syncs: SyncsFolder = Path("syncs"),
    full: Annotated[bool, typer.Option("--full", help="Read everything, as `run --full` would.")] = False,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help=f"End with {SOMETHING_TO_SEND} where a run would change anything, for CI."),
    ] = False,
    values: Annotated[
        bool, typer.Option("--values", help="Show old and new values of the first rows that changed, and who is gone.")
    ] = False,
    gone_max: GoneMax = "",
    adds_max: AddsMax = "",
    updates_max: UpdatesMax = "",
    accept: Accept = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run would send, change and reject; nothing is sent, and last sync time stays."""
    from dataclasses import replace

    from reverse_etl.changeset.scope import Scope
    from reverse_etl.run.judged import require_known
    from reverse_etl.run.plan import make_plan
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store

    scope = Scope.of(
        full=full,
        gone_max=gone_max,
        adds_max=adds_max,
        updates_max=updates_max,
        accept=",".join(accept or ()),
        mark="--",
    )
    project = runnable_project(syncs, sync)
    config = sync_named(project, sync)
    require_known(config, scope.accepted)
    resolve_credentials(project, config)
    home = Home.from_environment(syncs)
    try:
        with shown_progress(sync):
            made = make_plan(
                config,
                home,
                open_store(home.state_url),
                project.databases[config.database],
                project.destinations[config.destination],
                scope=replace(scope, backfill=config.backfills),
                with_values=values,
            )
    except ReverseEtlError as error:
        error.located(config.where)
        raise
    if as_json:
        words.print_json(made.as_json())
    else:
        _show(made, config, words.console())
    if made.stopped:
        raise typer.Exit(CheckFailedError.exit_code)
    if exit_code and made.changes_something:
        raise typer.Exit(SOMETHING_TO_SEND)


def _show(made: Plan, sync: SyncConfig, console: Console) -> None:
    for name, stream in made.streams.items():
        say(console, heading(made, sync, name), style="bold")
        _show_lines(lines(stream, sync.gone(name)), console)
        if stream.in_table is not None and (found := lines_in_table(stream.in_table, sync.gone(name))):
            say(console, f"In table {sync.writes[0]}:", style="bold")
            _show_lines(found, console)
        if stream.removed:
            say(console, removed_attributes(stream, sync))
        for changed in stream.first:
            _show_values(changed, console)
        for key in stream.first_gone:
            say(console, f"  - {words.value(key, _LONGEST)}", indent=" " * 4)
        if len(stream.first_gone) < stream.to_remove and stream.first_gone:
            say(console, f"  - and {stream.to_remove - len(stream.first_gone):,} more")
    for sentence in conclusion(made):
        say(console, sentence)
    if made.sendable:
        say(console, "Nothing was sent. To send exactly this within an hour:")
        say(console, f"reverse-etl run {sync.name} --plan {made.plan_id}")


def _show_values(changed: ChangedRow, console: Console) -> None:
    """A row's old and new values, where the plan was made with values."""
    if changed.key is not None:
        pairs = (
            f"{name} {words.value(old or 'not known', _LONGEST)} → {words.value(new or '', _LONGEST)}"
            for name, (old, new) in changed.values.items()
        )
        say(console, f"  ~ {words.value(changed.key, _LONGEST)}  {' · '.join(pairs)}", indent=" " * 4)


def _show_lines(found: Lines, console: Console) -> None:
    for sign, number, what in found:
        say(console, f"  {sign} {number:>11,}  {what}", indent=" " * 17)
