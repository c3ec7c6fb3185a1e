"""``run``: executes a sync's Dagster job here, with live progress."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.bars import shown_progress
from reverse_etl.cli.dagster_home import dagster_environment, dagster_instance, was_interrupted
from reverse_etl.cli.project import AsJson, SyncsFolder, resolve_credentials, sync_named, sync_names
from reverse_etl.cli.tables import say
from reverse_etl.counted import counted
from reverse_etl.report import Status

if TYPE_CHECKING:
    import dagster as dg
    from rich.console import Console

    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.report import RunReport
    from reverse_etl.state.home import Home

EXAMPLES: Final = ("run customers", "run customers --full --json")

_UNCAPTURED: Final = {
    "module": "dagster._core.storage.noop_compute_log_manager",
    "class": "NoOpComputeLogManager",
    "config": {},
}


def run(
    sync: Annotated[
        str, typer.Argument(help="The sync's name: its file's name without the ending.", autocompletion=sync_names)
    ],
    syncs: SyncsFolder = Path("syncs"),
    full: Annotated[bool, typer.Option("--full", help="Start from last sync time 0: everything again.")] = False,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Dagster's own log on stderr.")] = False,
) -> None:
    """Run one sync now; ends with the exit code of what happened."""
    from reverse_etl.config.loader import load_project

    project = load_project(syncs)
    config = sync_named(project, sync)
    resolve_credentials(project, config)
    report = execute(config, syncs, full=full, verbose=verbose)
    if as_json:
        json.dump(report.as_json(), sys.stdout)
        sys.stdout.write("\n")
    show(report, words.console(stderr=True))
    raise typer.Exit(report.exit_code)


def execute(
    sync: SyncConfig, syncs: Path, *, full: bool = False, retry_of: str = "", verbose: bool = False
) -> RunReport:
    """Executes the sync's Dagster job in this process and returns the run as the history has it.

    Args:
        sync: The sync.
        syncs: The folder of the syncs.
        full: From last sync time 0.
        retry_of: Only the rows that failed in this run.
        verbose: With Dagster's own log.

    Raises:
        StateError: The run ended without a row in the history.
    """
    from reverse_etl.errors import StateError
    from reverse_etl.state.home import Home
    from reverse_etl.state.run_history import find_run
    from reverse_etl.state.store import open_store

    home = Home.from_environment(syncs)
    run_config = {
        "ops": {f"{sync.name}__{sync.name}_changeset": {"config": {"full": full, "retry_of": retry_of}}},
        "loggers": {"console": {"config": {"log_level": "DEBUG" if verbose else "CRITICAL"}}},
    }
    result = _execute_job(sync.name, syncs, home, run_config=run_config, lines=verbose)
    report = find_run(open_store(home.state_url), result.run_id)
    if report is None and was_interrupted(result):
        raise KeyboardInterrupt
    if report is None:
        raise StateError(
            f"run {result.run_id} left no row in the history.", hint="Run again with --verbose to see why."
        )
    if report.status is Status.RUNNING:
        raise StateError(
            f"how run {result.run_id} ended could not be written to {home.path}.",
            hint="Free some space, then run again: what was delivered stays delivered.",
        )
    return report


def _execute_job(name: str, syncs: Path, home: Home, *, run_config: dict[str, Any], lines: bool) -> dg.ExecutionResult:
    """What Dagster has of the run; until its first stage, and after the last one, Ctrl-C waits for a safe moment."""
    from reverse_etl.delivery.interrupts import held

    with held() as raise_received, ExitStack() as stack:
        dagster_environment(home, syncs)

        import dagster as dg
        from dagster._utils.interrupts import capture_interrupts

        recipe = dg.build_reconstructable_job(
            "reverse_etl.definitions", "job", reconstructable_kwargs={"folder": str(syncs.absolute()), "name": name}
        )
        # The run's output is for this terminal; to capture it, Dagster starts processes that Ctrl-C would end noisily.
        instance = stack.enter_context(dagster_instance(home, {"compute_logs": _UNCAPTURED}))
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
            parts = [f"{counted(counts.extracted, stream.removesuffix('s'))} read", f"{counts.delivered:,} delivered"]
            parts += [
                f"{number:,} {name}"
                for name in ("rejected", "refused", "excluded", "undelivered")
                if (number := getattr(counts, name))
            ]
            say(console, f"  {', '.join(parts)}", indent="  ")
    colour = {"completed": "green", "some_rows_failed": "yellow"}.get(report.status.value, "red")
    end = words.text(f"{report.sync}: ").append(report.status.value, colour)
    say(console, end.append(f" in {report.duration_s:.1f} s"))
    if report.message:
        say(console, report.message)
    if report.failed_rows_csv:
        say(console, f"Failed rows:\n{words.place(report.failed_rows_csv)}")
