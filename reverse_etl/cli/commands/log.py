"""``log``: what a database keeps of its log for a sync: made, looked at, dropped."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder, runnable_project, sync_named, sync_names
from reverse_etl.cli.tables import say
from reverse_etl.errors import ConfigError, ReverseEtlError

if TYPE_CHECKING:
    from rich.console import Console

    from reverse_etl.config.syncs import ProjectConfig, SyncConfig
    from reverse_etl.sources.powers import ChangeLog, LogStatus

EXAMPLES: Final = ("log status", "log create customers", "log drop customers")

MUCH_BYTES: Final = 1_000_000_000
"""A server that keeps more for a sync is worth a warning."""


class Action(StrEnum):
    """What is done."""

    CREATE = "create"
    STATUS = "status"
    DROP = "drop"


def log(
    action: Annotated[Action, typer.Argument(help="What to do.")],
    sync: Annotated[
        str, typer.Argument(help="The sync's name; for status, every sync's when left out.", autocompletion=sync_names)
    ] = "",
    syncs: SyncsFolder = Path("syncs"),
    as_json: AsJson = False,
) -> None:
    """Make a database keep its log for a sync with `changes: {by: log}`, show what it keeps, or let it drop that."""
    project, console = runnable_project(syncs, sync), words.console(stderr=action is not Action.STATUS)
    if action is Action.STATUS:
        _show_all(project, sync, console, as_json=as_json)
        return
    if not sync:
        raise ConfigError(f"log {action}: which sync?", hint=f"Write: reverse-etl log {action} SYNC")
    config = sync_named(project, sync)
    with _opened(project, config) as found:
        if action is Action.CREATE:
            found.create()
            say(console, f"{sync}: the log is kept from now on. Run the sync, or drop it: reverse-etl log drop {sync}")
        elif found.drop():
            say(console, f"{sync}: the log is no longer kept; its next run reads everything.")
        else:
            say(console, f"{sync}: nothing was kept.")


def _show_all(project: ProjectConfig, name: str, console: Console, *, as_json: bool) -> None:
    chosen = [sync_named(project, name)] if name else [s for s in project.syncs.values() if s.changes.by == "log"]
    found: dict[str, LogStatus | ReverseEtlError] = {}
    for sync in chosen:
        try:
            with _opened(project, sync) as log_:
                found[sync.name] = log_.status()
        except ReverseEtlError as error:
            if name:
                raise
            found[sync.name] = error
    if as_json:
        shown = {
            key: {"error": str(each)} if isinstance(each, Exception) else asdict(each) for key, each in found.items()
        }
        json.dump(shown, sys.stdout)
        sys.stdout.write("\n")
        return
    if not found:
        say(console, "No sync has `changes: {by: log}`.")
    for key, each in found.items():
        for line in [str(each)] if isinstance(each, Exception) else sentences(each, key):
            say(console, f"{key}: {line}")


def sentences(status: LogStatus, sync: str) -> Iterator[str]:
    """What there is to say of a sync's log: the first is how it is, the others are what to do."""
    if status.kept_bytes is not None:
        until = "until its disk is full" if status.limit_bytes is None else f"up to {_size(status.limit_bytes)}"
        yield f"the server keeps {_size(status.kept_bytes)} of its log, {until}."
        if status.kept_bytes >= MUCH_BYTES:
            yield f"That is much: run the sync, or drop it: reverse-etl log drop {sync}"
    elif status.exists:
        yield "the log can be read."
    else:
        yield f"the log is not kept. To keep it: reverse-etl log create {sync}"
    yield from status.problems


def _size(count: int) -> str:
    return f"{count / 1_000_000:,.1f} MB" if count < MUCH_BYTES else f"{count / 1_000_000_000:,.1f} GB"


@contextmanager
def _opened(project: ProjectConfig, sync: SyncConfig) -> Iterator[ChangeLog]:
    """The sync's log, while the connection to its database is open."""
    from reverse_etl.changeset.from_log import log_of
    from reverse_etl.sources import connect

    if sync.changes.by != "log":
        raise ConfigError(
            f"sync {sync.name} does not read its database's log.",
            hint="For that it has `changes: {by: log, tables: {customers: id}}` in its file.",
        ).located(sync.where)
    try:
        with connect(project.databases[sync.database]) as session:
            yield log_of(sync, session)
    except ReverseEtlError as error:
        error.located(sync.where)
        raise
