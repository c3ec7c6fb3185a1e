"""``reverse-etl validate``: every problem in every file. Needs no secrets, no network and no Dagster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reverse_etl.cli.project import AsJson, SyncsFolder
from reverse_etl.cli.tables import Rows, say

if TYPE_CHECKING:
    from reverse_etl.config.syncs import ProjectConfig, SyncConfig

_MOST_LINES = 40
"""Of a summary that is still short; syncs asked for by name are always shown."""

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[SYNC]...", help="Show only these syncs.", show_default=False)
]


def validate(sync: Names = None, syncs: SyncsFolder = Path("syncs"), as_json: AsJson = False) -> None:
    """Checks every file and prints every problem, one line each; exits with 2 when there are any."""
    from reverse_etl.cli import words
    from reverse_etl.cli.project import sync_named
    from reverse_etl.config.loader import load_project
    from reverse_etl.errors import ConfigProblemsError

    people = words.console(stderr=True)
    try:
        project = load_project(syncs)
    except ConfigProblemsError as error:
        for problem in error.problems:
            say(people, problem, indent="  ")
        count = len(error.problems)
        say(people, f"{count} problem{'s' if count != 1 else ''} found.", style="bold red")
        raise typer.Exit(error.exit_code) from None
    shown = [sync_named(project, name) for name in dict.fromkeys(sync or project.syncs)]
    for warning in project.warnings:
        say(people, f"warning: {warning}", style="yellow", indent="  ")
    if as_json:
        import orjson

        entries = [_as_json(config) for config in shown]
        print(orjson.dumps(entries, option=orjson.OPT_INDENT_2).decode())  # noqa: T201
    else:
        _print_table(people, project, shown)


def _print_table(people: Any, project: ProjectConfig, shown: list[SyncConfig]) -> None:
    table = Rows(("sync", "rows are", "from", "to", "when", "checks"), numbers=("checks",))
    for sync in shown:
        kind = sync.kind + (" + relationships" if sync.relationships is not None else "")
        table.add(sync.name, kind, sync.database, sync.workspace, _when(sync), str(len(sync.checks)))
    if shown and (len(shown) <= _MOST_LINES or len(shown) < len(project.syncs)):
        table.show(people)
    counts = (
        (len(project.syncs), "sync"),
        (len(project.databases), "database"),
        (len(project.workspaces), "workspace"),
    )
    summary = ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts)
    say(people, f"{summary}: no problems.", style="bold green")


def _as_json(sync: SyncConfig) -> dict[str, Any]:
    """One entry of ``--json``: what a script needs to find its way, not the whole file."""
    return {
        "sync": sync.name,
        "file": sync.file,
        "version": sync.version,
        "kind": sync.kind,
        "database": sync.database,
        "workspace": sync.workspace,
        "schedule": _when(sync),
        "relationships": sync.relationships is not None,
        "checks": [check.check for check in sync.checks],
    }


def _when(sync: SyncConfig) -> str:
    from reverse_etl.config.intervals import format_interval

    schedule = sync.schedule
    if schedule.cron is not None:
        return schedule.cron
    if schedule.every is None:
        return "manual"
    start = f" from {schedule.start_at:%Y-%m-%dT%H:%MZ}" if schedule.start_at is not None else ""
    return f"every {format_interval(schedule.every)}{start}"
