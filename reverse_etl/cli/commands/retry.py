"""``retry``: sends the rows that failed in a run again, with the values that they have now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder, resolve_credentials, sync_named, sync_names, warn_of
from reverse_etl.cli.tables import say
from reverse_etl.counted import counted

EXAMPLES: Final = ("retry customers",)


def retry(
    sync: Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)],
    syncs: SyncsFolder = Path("syncs"),
    run: Annotated[
        str, typer.Option("--run", metavar="ID", help="Retry this run instead of the last one that read rows.")
    ] = "",
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Dagster's own log on stderr.")] = False,
) -> None:
    """Send only the rows that failed, read again by their identifiers; last sync time stays as it is."""
    from reverse_etl.changeset.again import FailedBefore, left_gone
    from reverse_etl.changeset.scope import Scope
    from reverse_etl.checks.not_found import NO_LONGER_FOUND
    from reverse_etl.cli.commands.errors import chosen_run
    from reverse_etl.cli.commands.history import no_runs
    from reverse_etl.cli.commands.run import execute, show
    from reverse_etl.config.read_once import project_once
    from reverse_etl.errors import SOME_ROWS_FAILED_EXIT_CODE
    from reverse_etl.state.failures import causes_of_run
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store

    people = words.console(stderr=True)
    project = project_once(syncs)
    warn_of(project.left_out, sync)
    config = sync_named(project, sync)
    home = Home.from_environment(syncs)
    store = open_store(home.state_url)
    report = chosen_run(store, sync, run, with_rows=True)
    failed = report.total.failed if report else 0
    if report is None or not failed:
        say(people, no_runs(sync, syncs) if report is None else f"No row failed in run {report.run_id[:8]}.")
        if as_json:
            sys.stdout.write("null\n")
        return
    before = FailedBefore(report.run_id, home.fetch_failed_rows(sync, report.run_id))
    unnamed, removals = before.without_identifier(), before.removals(config.streams)
    if unnamed:
        say(
            people,
            f"{counted(unnamed, 'failed row has', 'failed rows have')} no identifier to ask for and cannot be sent "
            f"again by a retry. Correct or delete {'it' if unnamed == 1 else 'them'} in the database, "
            f"then run: reverse-etl run {sync}",
        )
    if unnamed + removals == failed:
        if removals:
            say(people, f"{left_gone(removals)} Run: reverse-etl run {sync}")
        raise typer.Exit(SOME_ROWS_FAILED_EXIT_CODE)
    resolve_credentials(project, config)
    say(people, f"Retrying {counted(failed - unnamed - removals, 'failed row')} of run {report.run_id[:8]}.")
    retried = execute(config, syncs, scope=Scope(retry_of=report.run_id), verbose=verbose)
    if as_json:
        words.print_json_line(retried.as_json())
    show(retried, people)
    for cause in causes_of_run(store, retried.run_id):
        if cause.why.reason == NO_LONGER_FOUND:
            say(people, f"{counted(cause.rows, 'failed row was', 'failed rows were')} {cause.why.message}")
    raise typer.Exit(retried.exit_code)
