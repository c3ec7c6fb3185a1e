"""``errors``: the failed rows of one run, by cause and one by one, and their CSV."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.commands.history import no_runs, require_known
from reverse_etl.cli.excluded import say_excluded, say_warnings
from reverse_etl.cli.project import AsJson, SyncsFolder, sync_names
from reverse_etl.cli.tables import Rows, say
from reverse_etl.counted import counted
from reverse_etl.files.private import replacing
from reverse_etl.report import Reason

if TYPE_CHECKING:
    from reverse_etl.report import FailedRow, RunReport
    from reverse_etl.state.failures import FailedCause
    from reverse_etl.state.store import Store

EXAMPLES: Final = ("errors customers", "errors customers --csv failed.csv")


def errors(
    sync: Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)],
    syncs: SyncsFolder = Path("syncs"),
    run: Annotated[str, typer.Option("--run", metavar="ID", help="Show this run instead of the last one.")] = "",
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write all failed rows to this file.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many rows one by one.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show why rows of a run failed: causes with counts, then the first rows with number and identifier."""
    from reverse_etl.state.failures import causes_of_run, failed_rows_of_run
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store

    home = Home.from_environment(syncs)
    store = open_store(home.state_url)
    require_known(store, sync, syncs)
    report = chosen_run(store, sync, run)
    if report is None:
        words.print_json(None) if as_json else say(words.console(), no_runs(sync, syncs))
        return
    causes = causes_of_run(store, report.run_id)
    first = list(islice(failed_rows_of_run(store, report.run_id), limit))
    if as_json:
        found = {"causes": [cause.columns() for cause in causes], "failed_rows": [row.columns() for row in first]}
        words.print_json({**report.as_json(), **found})
    else:
        _show(report, causes, first, gone=not home.has_failed_rows(sync, report.run_id), csv=csv is None)
        _show_earlier(store, report)
    if csv is not None:
        _write_csv(store, report, home.fetch_failed_rows(sync, report.run_id), csv)


def chosen_run(store: Store, sync: str, run_id: str, *, with_rows: bool = False) -> RunReport | None:
    """The run with this id or the one that begins so; without one, the newest that has ended.

    Args:
        store: The history.
        sync: The sync's name.
        run_id: The id or its beginning; empty for none.
        with_rows: Passes over runs that ended before they read a row.
    """
    from reverse_etl.errors import ConfigError
    from reverse_etl.state.run_history import newest_ended, runs_called

    if not run_id:
        return newest_ended(store, sync, with_rows=with_rows)
    runs = runs_called(store, sync, run_id)
    if len(runs) != 1:
        what = "more than one run that begins with" if runs else "no run"
        raise ConfigError(f"{sync} has {what} {run_id}.", hint=f"See: reverse-etl history {sync}")
    return runs[0]


def _show(report: RunReport, causes: list[FailedCause], first: list[FailedRow], *, gone: bool, csv: bool) -> None:
    """The run and its failed rows; ``csv``: where its CSV lies, too."""
    console = words.console()
    total = report.total
    started = words.text(f"{report.sync}, run {report.run_id[:8]} of {words.clock(report.started_at)}: ")
    say(
        console,
        started.append_text(words.status_text(report.status.value)).append(
            f", {total.failed:,} of {counted(total.extracted, 'row')} failed."
        ),
    )
    if report.message:
        # The command in it is this one.
        say(console, re.sub(rf" See: reverse-etl errors {re.escape(report.sync)}( --run \w+)?\.?", "", report.message))
    if causes:
        console.print()
        _table_of_causes(causes).show(console)
    if first:
        console.print()
        _table_of_rows(first, causes).show(console)
    if report.excluded_by:
        console.print()
        rows = report.total.excluded
        say(console, f"{counted(rows, 'row was', 'rows were')} left out by choice, which is no error:")
        say_excluded(report, console)
    if report.warnings:
        console.print()
        say(console, "Checks that keep no row back found:")
        say_warnings(report, console)
    if report.failed_rows_csv and csv:
        more = f"The first {len(first):,}; all" if total.failed > len(first) else "All"
        what = "with whole identifiers" if any(row.identifier for row in first) else "in a file"
        which = f"{more} {total.failed:,} {what}" if total.failed > 1 else what.capitalize()
        gone_words, path = " (no longer there)" if gone else "", words.place(report.failed_rows_csv)
        console.print()
        say(console, f"{which}{gone_words}:\n{path}")


def _show_earlier(store: Store, report: RunReport) -> None:
    """Where failed rows are to be found when this run has none."""
    from reverse_etl.report import Status
    from reverse_etl.state.run_history import list_runs

    if report.total.failed:
        return
    for earlier in list_runs(store, report.sync, limit=1, status=Status.SOME_ROWS_FAILED):
        console = words.console()
        say(console, f"The last run with failed rows: reverse-etl errors {report.sync} --run {earlier.run_id[:8]}")


def _table_of_causes(causes: list[FailedCause]) -> Rows:
    columns = ("count", "query", "stage", "reason", "field", "message")
    table = Rows(columns, numbers=("count",), below="message", extras=("stage",))
    for cause in causes:
        table.add(f"{cause.rows:,}", cause.query, cause.stage, *cause.why)
    return table


def _table_of_rows(first: list[FailedRow], causes: list[FailedCause]) -> Rows:
    """Without the messages where query, reason and field tell which of the causes, which stand above, is a row's."""
    told = Counter((cause.query, *cause.why[:2]) for cause in causes)
    tells = all(told[row.query, *row.why[:2]] == 1 for row in first)
    columns = ("row", "query", "identifier", *Reason._fields[: 2 if tells else 3])
    table = Rows(columns, numbers=("row",), extras=columns[4:])
    for row in first:
        table.add(f"{row.row_number:,}", row.query, words.value(row.identifier), *row.why[: len(columns) - 3])
    return table


def _write_csv(store: Store, report: RunReport, kept: Path, file: Path) -> None:
    """Writes all failed rows of a run, from the run's own CSV where it is kept, to a file that only its owner can read.

    Raises:
        StateError: It cannot be written.
    """
    from reverse_etl.changeset.failed_rows import batches_of
    from reverse_etl.changeset.failed_rows_csv import write_failed_rows
    from reverse_etl.errors import StateError
    from reverse_etl.state.failures import failed_rows_of_run

    failed = report.total.failed
    try:
        if report.failed_rows_csv and kept.is_file():
            _copy(kept, file)
        else:
            with TemporaryDirectory() as folder:
                remembered = Path(folder) / "failed.csv"
                written = write_failed_rows(remembered, batches_of(failed_rows_of_run(store, report.run_id)))
                _copy(remembered, file)
            if failed:
                say(
                    words.console(stderr=True),
                    f"The run's own CSV is gone: this one has {written:,} of {counted(failed, 'row')}, "
                    "e-mail addresses masked.",
                )
    except OSError as error:
        raise StateError(
            f"{file} cannot be written: {error.strerror}.", hint="Name a file in a folder that is yours."
        ) from None
    say(words.console(stderr=True), f"Failed rows written to {file}")


def _copy(kept: Path, file: Path) -> None:
    """Into a file, whole or not at all, also behind a link; what is no file, such as a pipe, stays what it is."""
    file = file.resolve()
    if file.exists() and not file.is_file():
        with kept.open("rb") as source, file.open("wb") as target:
            shutil.copyfileobj(source, target)
        return
    with kept.open("rb") as source, replacing(file) as target:
        shutil.copyfileobj(source, target)
