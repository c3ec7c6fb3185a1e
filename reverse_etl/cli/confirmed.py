"""Old rows that a run sends only once a person has confirmed them: the question, before the first row is sent.

What was confirmed is a plan, and the run sends its rows and no others. Where no one can answer, and without ``--yes``,
a run leaves the old rows out, like a scheduled one.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from reverse_etl.changeset.scope import Scope
from reverse_etl.cli import words
from reverse_etl.cli.bars import shown_progress
from reverse_etl.cli.tables import say
from reverse_etl.errors import CheckFailedError, ReverseEtlError

if TYPE_CHECKING:
    from pathlib import Path

    from reverse_etl.config.syncs import ProjectConfig, SyncConfig
    from reverse_etl.destinations.request_powers import Backfill
    from reverse_etl.run.planned import Plan
    from reverse_etl.state.home import Home


class NotConfirmed(typer.Abort):
    """The answer was no: what was asked about is not sent."""


def confirmed(config: SyncConfig, project: ProjectConfig, syncs: Path, scope: Scope, *, yes: bool) -> Scope:
    """What a run is to send: the rows of a plan that were confirmed, or what it was asked for without old ones.

    Args:
        config: The sync.
        project: All syncs, with what they share.
        syncs: Their folder.
        scope: What the run was asked for.
        yes: Whether the rows are confirmed already.

    Raises:
        NotConfirmed: They are not to be sent.
        typer.Abort: Ctrl-C, or the end of what could be answered.
        typer.BadParameter: A plan has old rows, and no one can answer.
        CheckFailedError: A check would stop the run. With ``yes`` the run itself fails, in the history and with an
            alert.
        ReverseEtlError: The rows cannot be read.
    """
    from reverse_etl.state.home import Home

    if not config.backfills or scope.retry_of:
        return scope
    home = Home.from_environment(syncs)
    if scope.plan:
        return _of_plan(config, home, scope, yes=yes)
    if not yes and not sys.stdin.isatty():
        return scope
    made = _planned(config, project, home, scope)
    if made.stopped and not yes:
        raise CheckFailedError(made.stopped, hint=made.let_pass).located(config.where)
    # Rows of a run that stopped come first.
    if made.after or not (made.stopped or made.backfill):
        return scope
    if made.backfill is not None:
        _ask(made.backfill, yes=yes)
    return Scope(plan=made.plan_id)


def _of_plan(config: SyncConfig, home: Home, scope: Scope, *, yes: bool) -> Scope:
    """The plan that a person named, where it has no old rows, or they are confirmed."""
    from reverse_etl.run.backfill import backfill_of
    from reverse_etl.run.planned_run import find_plan

    folder, _ = find_plan(home, config.name, scope.plan)
    if (old := backfill_of(config, folder)) is not None:
        if not yes and not sys.stdin.isatty():
            raise typer.BadParameter("is needed where no one can answer: nothing was sent.", param_hint="--yes")
        _ask(old, yes=yes)
    return scope


def _planned(config: SyncConfig, project: ProjectConfig, home: Home, scope: Scope) -> Plan:
    """A plan of the run, old rows included."""
    from reverse_etl.run.plan import make_plan
    from reverse_etl.state.store import open_store

    database, destination = project.databases[config.database], project.destinations[config.destination]
    asked = replace(scope, backfill=True)
    try:
        with shown_progress(config.name):
            return make_plan(config, home, open_store(home.state_url), database, destination, scope=asked)
    except ReverseEtlError as error:
        error.located(config.where)
        raise


def _ask(old: Backfill, *, yes: bool) -> None:
    say(words.console(stderr=True), old.sentence)
    if not yes and not typer.confirm("Send them?", err=True):
        raise NotConfirmed
