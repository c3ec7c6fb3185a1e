"""``run``: executes a sync's Dagster job here, with live progress."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.bars import shown_progress
from reverse_etl.cli.dagster_home import dagster_environment, dagster_instance, for_one_run, was_interrupted, why_failed
from reverse_etl.cli.excluded import say_beside_counts
from reverse_etl.cli.pieces import run_pieces
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
    warn_of,
)
from reverse_etl.cli.tables import say
from reverse_etl.counted import counted
from reverse_etl.report import Status, counts_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    import dagster as dg
    from rich.console import Console

    from reverse_etl.changeset.scope import Scope
    from reverse_etl.config.syncs import ProjectConfig, SyncConfig
    from reverse_etl.report import RunReport
    from reverse_etl.state.home import Home

EXAMPLES: Final = (
    "run customers",
    "run customers --full --json",
    "run customers --since 2026-01-05",
    "run customers --since 2026-01-05 --until 2026-02-01T12:00:00Z",
    "run customers --only 42 --only 43",
    "run customers --limit 10",
    "run customers --gone-max 20%",
    "run customers --accept row_count",
    "run order_placed --since 2026-01-05 --until 2026-02-01 --yes",
    "run --all",
    "run --workspace main --json",
)


def run(
    sync: Annotated[
        str,
        typer.Argument(
            metavar="SYNC", help="The sync's name: its file's name without the ending.", autocompletion=sync_names
        ),
    ] = "",
    syncs: SyncsFolder = Path("syncs"),
    full: Annotated[
        bool, typer.Option("--full", help="Start from last sync time 0: everything again. Last sync time moves.")
    ] = False,
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Read what changed since a date or time (ISO 8601, UTC where it names no zone), as "
            "{{last_sync_time}}. Last sync time stays.",
        ),
    ] = "",
    until: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="Beside --since: read what changed before this time. The query needs {{until}}."
        ),
    ] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="Read only the row with this identifier, whenever it changed; may be given several times. "
            "Last sync time stays.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Read at most this many rows of each query. Last sync time stays."),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Run every sync of the folder that is not paused, each after those in its `after`."),
    ] = False,
    destination: Annotated[
        str,
        typer.Option(
            "--workspace", "--destination", metavar="NAME", help="Run every sync to this workspace or destination."
        ),
    ] = "",
    plan: Annotated[
        str, typer.Option(metavar="ID", help="Send exactly the rows of a plan that `reverse-etl plan` made.")
    ] = "",
    gone_max: GoneMax = "",
    adds_max: AddsMax = "",
    updates_max: UpdatesMax = "",
    accept: Accept = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Send old events, where the sync has `backfill`, without being asked.")
    ] = False,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Dagster's own log on stderr.")] = False,
) -> None:
    """Run one sync now, or several. Exits with the code of what happened; of several, with that of the worst."""
    from reverse_etl.changeset.scope import Scope
    from reverse_etl.cli.confirmed import confirmed
    from reverse_etl.config.read_once import project_once
    from reverse_etl.run.judged import require_known

    several = every or bool(destination)
    if bool(sync) == several:
        both = "takes a sync or --all, not both" if sync else "which sync? Name one, or write --all"
        raise typer.BadParameter(f"{both}.", param_hint="SYNC")
    if only is not None and not all(only):
        raise typer.BadParameter("an identifier is not empty.", param_hint="--only")
    if only and several:
        raise typer.BadParameter("goes with one sync.", param_hint="--only")
    if plan and several:
        raise typer.BadParameter("goes with one sync.", param_hint="--plan")
    if accept is not None and (several or plan):
        how = "make the plan with it" if plan else "goes with one sync"
        raise typer.BadParameter(f"{how}.", param_hint="--accept")
    limits = {"gone_max": gone_max, "adds_max": adds_max, "updates_max": updates_max}
    for name in (name for name, value in limits.items() if value and (plan or several)):
        how = "make the plan with it" if plan else "goes with one sync"
        raise typer.BadParameter(f"{how}.", param_hint=f"--{name.replace('_', '-')}")
    named = "asked for" if only else ""
    scope = Scope.of(
        full=full, since=since, until=until, limit=limit or 0, only=named, plan=plan, **limits,
        accept=",".join(accept or ()), mark="--",
    )  # fmt: skip
    project = project_once(syncs)
    warn_of(project.left_out, sync)
    people = words.console(stderr=True)

    def run_one(config: SyncConfig) -> RunReport:
        scope.check(config)
        require_known(config, scope.accepted)
        if plan:
            _require_plan(config.name, syncs, plan)
        resolve_credentials(project, config)
        asked = replace(scope, only=_kept(sync, syncs, only)) if only else scope
        asked = confirmed(config, project, syncs, asked, yes=yes)
        return run_pieces(syncs, asked, lambda piece: run_once(config, piece))

    def run_once(config: SyncConfig, asked: Scope) -> RunReport:
        report = execute(config, syncs, scope=asked, verbose=verbose)
        show(report, people)
        if as_json and not several:
            words.print_json_line(report.as_json())
        return report

    if several:
        raise typer.Exit(_run_several(project, syncs, destination, run_one, as_json=as_json))
    raise typer.Exit(run_one(sync_named(project, sync)).exit_code)


def _run_several(
    project: ProjectConfig,
    syncs: Path,
    destination: str,
    run_one: Callable[[SyncConfig], RunReport],
    *,
    as_json: bool,
) -> int:
    """Runs every sync, or every one to a destination; returns the exit code."""
    from reverse_etl.cli.several import chosen, left_out, run_each, show_all, worst
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store
    from reverse_etl.state.syncs import every_sync

    store, people = open_store(Home.from_environment(syncs).state_url), words.console(stderr=True)
    paused = {state.name for state in every_sync(store) if state.paused}
    ended = [*run_each(chosen(project, destination), run_one, paused, people), *left_out(project, destination)]
    show_all(ended, people)
    if as_json:
        words.print_json([each.as_json() for each in ended])
    return worst(ended)


def _require_plan(sync: str, syncs: Path, plan: str) -> None:
    """Raises ConfigError where there is no such plan, before a run of it begins."""
    from reverse_etl.run.planned_run import find_plan
    from reverse_etl.state.home import Home

    find_plan(Home.from_environment(syncs), sync, plan)


def _kept(sync: str, syncs: Path, only: list[str]) -> str:
    """The id of the list of these identifiers. Raises StateError."""
    from reverse_etl.run.named_rows import keep_identifiers
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store

    home = Home.from_environment(syncs)
    return keep_identifiers(home, open_store(home.state_url), sync, only)


def execute(sync: SyncConfig, syncs: Path, *, scope: Scope | None = None, verbose: bool = False) -> RunReport:
    """Executes the sync's Dagster job in this process and returns the run as the history has it.

    Args:
        sync: The sync.
        syncs: The folder of the syncs.
        scope: What it reads; what changed where that is left out.
        verbose: With Dagster's own log.

    Raises:
        StateError: The run ended without a row in the history.
    """
    from reverse_etl.errors import StateError
    from reverse_etl.state.home import Home
    from reverse_etl.state.run_history import find_run
    from reverse_etl.state.store import open_store

    home = Home.from_environment(syncs)
    asked = scope.as_options() if scope else {}
    run_config = {
        "ops": {f"{sync.name}__{sync.name}_changeset": {"config": asked}},
        "loggers": {"console": {"config": {"log_level": "DEBUG" if verbose else "CRITICAL"}}},
    }
    result = _execute_job(sync.name, syncs, home, run_config=run_config, lines=verbose)
    report = find_run(open_store(home.state_url), result.run_id)
    if was_interrupted(result) and (report is None or report.status is Status.RUNNING):
        raise KeyboardInterrupt
    if report is None:
        why = why_failed(result)
        text = f"run {result.run_id} left no row in the history{f': {why}' if why else '.'}"
        raise StateError(text, hint="" if why else "Run again with --verbose to see why.")
    if report.status is Status.RUNNING:
        raise StateError(
            f"how run {result.run_id} ended could not be written to {home.path}.",
            hint="Free some space where the disk is full, or look for the cause with --verbose; then run again: "
            "what was delivered stays delivered.",
        )
    return report


def _execute_job(name: str, syncs: Path, home: Home, *, run_config: dict[str, Any], lines: bool) -> dg.ExecutionResult:
    """What Dagster has of the run; until its first stage, and after the last one, Ctrl-C waits for a safe moment."""
    from reverse_etl.cli.process_wide import save_memory
    from reverse_etl.config.garbage import garbage_left
    from reverse_etl.run.interrupts import held

    with held() as raise_received, ExitStack() as stack:
        dagster_environment(home, syncs)
        with garbage_left():
            save_memory()
            import dagster as dg
            from dagster._utils.interrupts import capture_interrupts

            recipe = dg.build_reconstructable_job(
                "reverse_etl.definitions", "job", reconstructable_kwargs={"folder": str(syncs.absolute()), "name": name}
            )
            instance = stack.enter_context(dagster_instance(home, for_one_run()))
        stack.enter_context(shown_progress(name, lines=lines))
        # Dagster keeps it for the first stage; what came before is raised here.
        with capture_interrupts():
            raise_received()
            try:
                return dg.execute_job(recipe, instance, run_config=run_config, raise_on_error=False)
            except dg.DagsterExecutionInterruptedError:
                raise KeyboardInterrupt from None


def show(report: RunReport, console: Console) -> None:
    """Prints a run's end for people: from when was read, what was delivered, what failed, what to do next."""
    if report.read_from:
        say(console, f"  what changed since {words.clock(words.at_unix(report.read_from))}", indent="  ")
    for stream, counts in report.streams.items():
        if counts.extracted or (stream == "rows" and report.status is Status.COMPLETED):
            say(console, f"  {counts_in_words(stream, counts)}", indent="  ")
    say_beside_counts(report, console)
    if (carried := report.carried) and (carried.read or carried.left):
        read = f"{counted(carried.read, 'row')} carried from earlier runs, {carried.delivered:,} delivered now"
        left = f"{counted(carried.left, 'row')} carried to the next run"
        parts = [text for text, rows in ((read, carried.read), (left, carried.left)) if rows]
        say(console, f"  {', '.join(parts)}", indent="  ")
    colour = {"completed": "green", "some_rows_failed": "yellow"}.get(report.status.value, "red")
    end = words.text(f"{report.sync}: ").append(report.status.value, colour)
    say(console, end.append(f" in {report.duration_s:.1f} s"))
    if report.message:
        say(console, report.message)
    if report.failed_rows_csv:
        say(console, f"Failed rows:\n{words.place(report.failed_rows_csv)}")
