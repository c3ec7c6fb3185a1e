"""``test-connection``: step by step, what works between here and a database, a workspace or a channel of alerts."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder, runnable_project
from reverse_etl.cli.tables import say
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.config.loader import ProjectConfig
    from reverse_etl.config.notify import ChannelConfig
    from reverse_etl.report import Step

EXAMPLES: Final = ("test-connection shop",)

SOURCE_EXIT_CODE = 3
WORKSPACE_EXIT_CODE = 5
CHANNEL_EXIT_CODE = 1


def test_connection(
    name: Annotated[str, typer.Argument(help="A database, workspace, destination or channel of connections.yaml.")],
    syncs: SyncsFolder = Path("syncs"),
    as_json: AsJson = False,
) -> None:
    """Connect to a database or destination and show what works and what is missing; or send a channel a test alert."""
    project = runnable_project(syncs)
    steps = []
    for step in _steps(project, name):
        steps.append(step)
        if not as_json:
            _show(step)
    if as_json:
        json.dump([asdict(step) for step in steps], sys.stdout)
        sys.stdout.write("\n")
    if not all(step.ok for step in steps):
        codes = ((project.databases, SOURCE_EXIT_CODE), (project.destinations, WORKSPACE_EXIT_CODE))
        raise typer.Exit(next((code for entries, code in codes if name in entries), CHANNEL_EXIT_CODE))


def _steps(project: ProjectConfig, name: str) -> Iterator[Step]:
    if name in project.databases:
        from reverse_etl.sources._connection_check import steps as database_steps

        return database_steps(project.databases[name])
    if name in project.destinations:
        from reverse_etl.destinations import kind

        return _destination_steps(
            project, kind((destination := project.destinations[name]).type).steps(destination), name
        )
    if name in project.notify:
        return _channel_steps(project.notify[name])
    known = ", ".join(sorted([*project.databases, *project.destinations, *project.notify])) or "none"
    raise ConfigError(
        f"connections.yaml has no database, destination or channel named {name}.", hint=f"It has: {known}."
    )


def _destination_steps(project: ProjectConfig, steps: Iterator[Step], name: str) -> Iterator[Step]:
    """Those of the destination, and what there is to know of the tables that syncs write to."""
    from reverse_etl.run.table_steps import table_steps

    works = True
    for step in steps:
        works = works and step.ok
        yield step
    tables: set[tuple[str, str]] = set()
    for sync in project.syncs.values() if works else ():
        if sync.destination != name:
            continue
        for step in table_steps(sync, project.databases[sync.database], project.destinations[name]):
            known = (step.name, step.detail)
            if known not in tables:
                tables.add(known)
                yield step


def _channel_steps(channel: ChannelConfig) -> Iterator[Step]:
    from reverse_etl.errors import ReverseEtlError
    from reverse_etl.notify.sending import send_test
    from reverse_etl.report import Step

    try:
        warning = send_test(channel)
    except ReverseEtlError as error:
        yield Step("test alert", ok=False, detail=error.message, hint=error.hint)
    else:
        yield Step("test alert", ok=not warning, detail=warning or f"sent to {channel.where}")


def _show(step: Step) -> None:
    console = words.console()
    mark = words.text("✓ " if step.ok else "✗ ", "green" if step.ok else "red")
    say(console, mark.append(f"{step.name}: {step.detail}", "default"), indent="  ")
    if step.hint:
        say(console, f"  {step.hint}", indent="  ")
