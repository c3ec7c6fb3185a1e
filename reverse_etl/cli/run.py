"""``run``: executes a sync's Dagster job here, with live progress."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reverse_etl.cli.dagster_home import dagster_environment
from reverse_etl.cli.project import AsJson, SyncsFolder, resolve_credentials, sync_named
from reverse_etl.report import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.progress import Progress, Waiting
    from reverse_etl.report import RunReport


def run(
    sync: Annotated[str, typer.Argument(help="The sync's name: its file's name without the ending.")],
    syncs: SyncsFolder = Path("syncs"),
    full: Annotated[bool, typer.Option("--full", help="Start from last sync time 0: everything again.")] = False,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Dagster's own log on stderr.")] = False,
) -> None:
    """Run one sync now; ends with the exit code of what happened."""
    from rich.console import Console

    from reverse_etl.config.loader import load_project

    project = load_project(syncs)
    config = sync_named(project, sync)
    resolve_credentials(project, config)
    report = execute(config, syncs, full=full, verbose=verbose)
    if as_json:
        json.dump(report.as_json(), sys.stdout)
        sys.stdout.write("\n")
    show(report, Console(stderr=True, highlight=False))
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
    from reverse_etl.state.store import open_store

    home = Home.from_environment(syncs)
    dagster_environment(home, syncs)

    import dagster as dg

    recipe = dg.build_reconstructable_job(
        "reverse_etl.definitions", "job", reconstructable_kwargs={"folder": str(syncs.absolute()), "name": sync.name}
    )
    step = f"{sync.name}__{sync.name}_changeset"
    config = {
        "ops": {step: {"config": {"full": full, "retry_of": retry_of}}},
        "loggers": {"console": {"config": {"log_level": "DEBUG" if verbose else "CRITICAL"}}},
    }
    with dg.DagsterInstance.get() as instance, _shown_progress(sync.name):
        result = dg.execute_job(recipe, instance, run_config=config, raise_on_error=False)
        run_id = result.run_id
    report = open_store(home.state_url).run(run_id)
    if report is None:
        raise StateError(f"run {run_id} left no row in the history.", hint="Run again with --verbose to see why.")
    if report.status is Status.RUNNING:
        raise StateError(
            f"how run {run_id} ended could not be written to {home.path}.",
            hint="Free some space, then run again: what was delivered stays delivered.",
        )
    return report


def show(report: RunReport, console: Console) -> None:
    """Prints a run's end for people: what was delivered, what failed, what to do next."""
    for query, counts in (("rows", report.rows), ("relationships", report.relationships)):
        if counts.extracted or (query == "rows" and report.status is Status.COMPLETED):
            parts = [f"{counts.extracted:,} {query} read", f"{counts.delivered:,} delivered"]
            parts += [
                f"{number:,} {name}"
                for name in ("rejected", "refused", "excluded", "undelivered")
                if (number := getattr(counts, name))
            ]
            console.print(f"  {', '.join(parts)}")
    colour = {"completed": "green", "some_rows_failed": "yellow"}.get(report.status.value, "red")
    console.print(f"[{colour}]{report.sync}: {report.status.value}[/] in {report.duration_s:.1f} s")
    if report.message:
        console.print(report.message, markup=False, soft_wrap=True)
    if report.failed_rows_csv:
        console.print(f"Failed rows: {report.failed_rows_csv}", markup=False, soft_wrap=True)


@contextmanager
def _shown_progress(sync: str) -> Iterator[None]:
    """Progress bars on stderr while a run lasts; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from reverse_etl.progress import Waiting, listening

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    tasks: dict[tuple[str, str], TaskID] = {}
    with Bars(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bars:

        def heard(progress: Progress | Waiting) -> None:
            if isinstance(progress, Waiting):
                ends = "" if progress.where else " Ctrl-C ends the waiting."
                said = f"{sync}: {progress.said}{ends}"
                bars.console.print(said, markup=False, highlight=False, soft_wrap=True)
                return
            key = (progress.stage, progress.query)
            if key not in tasks:
                label = progress.stage if progress.query == "rows" else f"{progress.stage} {progress.query}"
                tasks[key] = bars.add_task(f"{sync}: {label}", total=None)
            bars.update(tasks[key], completed=progress.done, total=progress.total)

        with listening(heard):
            yield
