"""``plan``: what a run would do, row counts and requests, before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

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
    sync_named,
    sync_names,
)
from reverse_etl.cli.tables import say
from reverse_etl.counted import counted
from reverse_etl.errors import CheckFailedError, ReverseEtlError

if TYPE_CHECKING:
    from rich.console import Console

    from reverse_etl.changes.changed_rows import ChangedRow
    from reverse_etl.config.gone import Gone
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.destinations.table_powers import Effects
    from reverse_etl.run.planned import Plan, StreamPlan

EXAMPLES: Final = ("plan customers", "plan customers --json", "plan customers --full", "plan customers --values")

_LONGEST: Final = 40
"""Characters of a value."""

SOMETHING_TO_SEND: Final = 10
"""The exit code with ``--exit-code`` where rows would be sent."""


_WHY_LEFT: Final = {
    "waits": "not gone for long enough",
    "renamed": "under another identifier now",
    "elsewhere": "sent by another sync",
    "unknown": "perhaps sent, and never acknowledged",
    "unnamed": "identifier not remembered",
}


def plan(
    sync: Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)],
    syncs: SyncsFolder = Path("syncs"),
    full: Annotated[bool, typer.Option("--full", help="As `run --full` would read.")] = False,
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
    from reverse_etl.config.loader import load_project
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
    project = load_project(syncs)
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
    since = f" since {words.clock(words.at_unix(made.read_from))}" if made.read_from else ""
    compared = f", compared with what {sync.destination} acknowledged" if made.compares else ""
    for name, stream in made.streams.items():
        row = "row" if name == "rows" else name.removesuffix("s")
        say(console, f"{sync.name}: {counted(stream.extracted, row)} read{since}{compared}", style="bold")
        _show_lines(_lines(stream, sync.gone(name)), console)
        if stream.in_table is not None and (found := _in_table(stream.in_table, sync.gone(name))):
            say(console, f"In table {sync.writes[0]}:", style="bold")
            _show_lines(found, console)
        if stream.removed:
            then = "cleared" if sync.clears_removed_attributes else f"they stay in {sync.TITLE}"
            say(console, f"Attributes no longer in the query: {', '.join(stream.removed)} ({then}).")
        for changed in stream.first:
            _show_values(changed, console)
        for key in stream.first_gone:
            say(console, f"  - {words.value(key, _LONGEST)}", indent=" " * 4)
        if len(stream.first_gone) < stream.to_remove and stream.first_gone:
            say(console, f"  - and {stream.to_remove - len(stream.first_gone):,} more")
    if made.stopped:
        say(console, made.stopped[0].upper() + made.stopped[1:])
        if made.let_pass:
            say(console, made.let_pass)
        return
    requests = sum(each.requests for each in made.streams.values())
    payload = sum(each.payload_bytes for each in made.streams.values())
    size = f", {_size(payload)}" if payload else ""
    looked = any(stream.in_table is not None for stream in made.streams.values())
    if not requests:
        say(console, "Nothing to send.")
    elif not looked:
        say(console, f"{counted(requests, 'request')}{size}.")
    if requests and not made.compares and not looked and (why := _why_not_compared(made)):
        say(console, why)
    for note in made.notes:
        say(console, note)
    if made.backfill is not None:
        say(console, made.backfill.sentence)
        say(console, "A scheduled run leaves the old ones out.")
    if made.to_send and not made.after:
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


_Lines: TypeAlias = list[tuple[str, int, str]]
"""A sign, a number and a word for each kind of rows that there are."""


def _show_lines(lines: _Lines, console: Console) -> None:
    for sign, number, what in lines:
        say(console, f"  {sign} {number:>11,}  {what}", indent=" " * 17)


def _lines(stream: StreamPlan, gone: Gone | None) -> _Lines:
    """What becomes of the rows before they are sent."""
    reasons = ", ".join(f"{name} {rows:,}" for name, rows in stream.rejected_by.items())
    attributes = " · ".join(f"{name} {rows:,}" for name, rows in stream.attributes.items())
    of_table = gone is not None and gone.of_table
    missing = "in the table, and not in the query" if of_table else "acknowledged before, and no longer returned"
    found: list[tuple[str, int | None, str]] = [
        ("+", stream.added, "new"),
        ("~", stream.changed, f"changed: {attributes}" if attributes else "changed"),
        ("?", stream.in_doubt, "sent again, whatever was acknowledged"),
        ("=", stream.unchanged, "unchanged: not sent"),
        ("-", stream.to_remove, f"{missing}: gone, as the sync's file says"),
        ("-", stream.deleted, "of the rows above, marked as deleted"),
        (" ", None if stream.gone is None else stream.gone - stream.to_remove, _left(stream)),
        (">", stream.to_send if stream.added is None and stream.in_table is None else None, "to send"),
        ("!", stream.rejected, f"would fail: {reasons}" if reasons else "would fail"),
        ("x", stream.excluded, "left out"),
    ]
    return [(sign, number, what) for sign, number, what in found if number]


def _in_table(effects: Effects, gone: Gone | None) -> _Lines:
    """What becomes of those that are sent, as far as the table shows before it is written to."""
    marks = gone is not None and gone.action == "set"
    reasons = ", ".join(f"{name} {rows:,}" for name, rows in effects.refused_by.items())
    found = [
        ("+", effects.inserts, "to add"),
        ("~", effects.updates, "to change"),
        ("=", effects.unchanged, "there already, as they are"),
        ("-", effects.deletes, "to mark as gone" if marks else "to remove"),
        ("=", effects.already_gone, "gone, and not there, or marked as gone" if marks else "gone, and not there"),
        ("x", effects.left_out, "left out, because of what the table has (`write`)"),
        ("!", effects.refused, f"would fail: {reasons}" if reasons else "would fail"),
    ]
    return [(sign, number, what) for sign, number, what in found if number]


def _left(stream: StreamPlan) -> str:
    """The words for keys that are gone and left as they are."""
    reasons = ", ".join(f"{_WHY_LEFT[why]} {keys:,}" for why, keys in stream.kept.items())
    return f"no longer returned, and left as they are{f': {reasons}' if reasons else ''}"


def _why_not_compared(made: Plan) -> str:
    """Why it is not known what changed; empty where a note of the plan says so."""
    if any(stream.added is not None for stream in made.streams.values()):
        return "" if made.generation else "Nothing is known to be acknowledged yet, so every row counts as new."
    return (
        "Which rows are new, changed or gone is not known: the sync does not compare. With `changes: {by: compare}` in "
        "its file a run sends only what differs."
    )


def _size(payload_bytes: int) -> str:
    return f"{payload_bytes / 1e6:,.1f} MB" if payload_bytes >= 1e5 else f"{payload_bytes / 1e3:,.1f} kB"
