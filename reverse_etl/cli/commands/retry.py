"""``retry``: sends the rows that failed in a run again, with the values that they have now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder, resolve_credentials, sync_named, sync_names, warn_of
from reverse_etl.cli.tables import say
from reverse_etl.config.streams import ROWS
from reverse_etl.counted import counted

if TYPE_CHECKING:
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.report import RunReport

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
    """Send the rows that failed, read again by identifier; of events, all of these people. Last sync time stays."""
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
    from reverse_etl.state.syncs import last_sync_time

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
    left, others = before.without_identifier()
    unnamed, removals = left + others, before.removals(config.streams)
    if left:
        newest = chosen_run(store, sync, "", with_rows=True)
        is_newest = newest is not None and newest.run_id == report.run_id
        say(people, _left_by_run(left, report, is_newest=is_newest, behind=last_sync_time(store, sync) > 0))
    if others:
        say(people, _without_identifier(others, config))
    if unnamed + removals == failed:
        if removals:
            say(people, f"{left_gone(removals)} Run: reverse-etl run {sync}")
        raise typer.Exit(SOME_ROWS_FAILED_EXIT_CODE)
    resolve_credentials(project, config)
    say(people, retrying(failed - unnamed - removals, report, config))
    retried = execute(config, syncs, scope=Scope(retry_of=report.run_id), verbose=verbose)
    if as_json:
        words.print_json_line(retried.as_json())
    show(retried, people)
    for cause in causes_of_run(store, retried.run_id):
        if cause.why.reason == NO_LONGER_FOUND:
            say(people, f"{counted(cause.rows, 'failed row was', 'failed rows were')} {cause.why.message}")
    raise typer.Exit(retried.exit_code)


def retrying(rows: int, report: RunReport, config: SyncConfig) -> str:
    """What is about to happen, in sentences: more than the failed rows is read where several have one identifier.

    Args:
        rows: How many failed rows are asked for.
        report: Their run.
        config: The sync.
    """
    sentences = [f"Retrying {counted(rows, 'failed row')} of run {report.run_id[:8]}."]
    for stream in config.streams:
        counts = report.streams.get(stream.name)
        if not stream.repeats or counts is None or not counts.failed:
            continue
        also = (
            f"All rows of the {stream.label} with the same `{stream.identifier[0]}` are read and sent again with them"
        )
        known = "; an event that arrived before is known by its id" if stream.name == ROWS else ""
        sentences.append(f"{also}{known}.")
    return " ".join(sentences)


def _left_by_run(rows: int, report: RunReport, *, is_newest: bool, behind: bool) -> str:
    """What becomes of rows without an identifier that had no answer when their run ended: nothing is wrong with them.

    Args:
        rows: How many.
        report: Their run.
        is_newest: Whether no later run has read rows.
        behind: Whether the sync has a last sync time, so that its next run does not read everything.
    """
    said = (
        f"{counted(rows, 'failed row')} had no answer when the run ended, "
        "and no identifier that a retry could ask for. "
        f"Leave {'it as it is' if rows == 1 else 'them as they are'}: "
    )
    if not is_newest:
        return (
            f"{said}a later run may have sent {'it' if rows == 1 else 'them'}. See: reverse-etl history {report.sync}"
        )
    if report.reads not in ("", "changes", "full"):
        return f"{said}run what was run then once more. See: reverse-etl history {report.sync}"
    full = " --full" if report.reads == "full" and behind else ""
    return f"{said}the next run sends {'it' if rows == 1 else 'them'}. Run: reverse-etl run {report.sync}{full}"


def _without_identifier(rows: int, config: SyncConfig) -> str:
    """What to do about other rows without an identifier."""
    if not any(stream.identifier for stream in config.streams):
        return (
            f"{counted(rows, 'failed row')} cannot be asked for by a retry: no column identifies the sync's rows. "
            f"Why they failed: reverse-etl errors {config.name}. A run sends all rows that its query returns, "
            f"those that arrived too: reverse-etl run {config.name}"
        )
    return (
        f"{counted(rows, 'failed row has', 'failed rows have')} no identifier to ask for and cannot be sent "
        f"again by a retry. Correct {'it' if rows == 1 else 'them'}, or leave {'it' if rows == 1 else 'them'} out "
        f"in the query, then run: reverse-etl run {config.name}"
    )
