"""``preview``: some rows of a sync, each with its verdict and the exact operation that would be sent."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reverse_etl.cli.project import AsJson, SyncsFolder, sync_named, sync_names
from reverse_etl.errors import ReverseEtlError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.config.loader import ProjectConfig
    from reverse_etl.config.syncs import SyncConfig

MOST_ROWS = 100


@dataclass(frozen=True, slots=True)
class PreviewedRow:
    """One row as the preview shows it.

    Attributes:
        query: ``rows`` or ``relationships``.
        row_number: From 1.
        verdict: ``valid``, ``rejected`` or ``excluded``.
        reason: Why it is not valid; empty when it is.
        operation: The JSON that would be sent, to the byte; None when nothing would be.
    """

    query: str
    row_number: int
    verdict: str
    reason: str
    operation: str | None


def preview(
    sync: Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)],
    syncs: SyncsFolder = Path("syncs"),
    limit: Annotated[int, typer.Option(min=1, max=MOST_ROWS, help="Rows of each query to look at.")] = 10,
    full: Annotated[bool, typer.Option("--full", help="From last sync time 0.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show rows, verdicts and operations; nothing is sent, nothing is remembered."""
    from reverse_etl.config.loader import load_project

    project = load_project(syncs)
    config = sync_named(project, sync)
    try:
        rows = list(previewed(project, config, limit=limit, full=full))
    except ReverseEtlError as error:
        error.located(config.where)
        raise
    if as_json:
        sys.stdout.write(_as_json(rows))
    else:
        _show(config, rows)


def previewed(project: ProjectConfig, sync: SyncConfig, *, limit: int, full: bool) -> Iterator[PreviewedRow]:
    """Reads, validates and says at most ``limit`` rows of each query.

    Raises:
        SourceError: The database cannot give the rows.
        ConfigError: A needed column is missing.
    """
    from reverse_etl.changeset.extract import Before, extract
    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.checks.runner import validate
    from reverse_etl.config.changes import late_of
    from reverse_etl.sources import connect
    from reverse_etl.stages import dialect
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store

    database = project.databases[sync.database]
    store = open_store(Home.from_environment(project.directory).state_url)
    before = Before() if full else store.sync(sync.name).before()
    late = late_of(sync.changes, database.late)
    with tempfile.TemporaryDirectory(prefix="reverse-etl-") as path:
        folder = RunFolder(Path(path))
        with connect(database) as session:
            extract(
                sync,
                session,
                folder,
                before=before,
                late=late,
                dialect=dialect(database),
                limit=limit,
                timezone=database.timezone,
            )
        validation = validate(sync, folder)
        if validation.stopped:
            typer.echo(f"A run over these rows would stop: {validation.stopped}", err=True)
        yield from _rows(sync, folder)


def _rows(sync: SyncConfig, folder: RunFolder) -> Iterator[PreviewedRow]:
    from reverse_etl.changeset.extract import queries
    from reverse_etl.changeset.parts import ROW_NUMBER
    from reverse_etl.destinations.customerio.operations import items
    from reverse_etl.report import Outcome

    facts = folder.facts()
    for query in queries(sync):
        parts = folder.parts(query)
        outcomes = parts.outcomes(getattr(facts, query))
        reasons = {row.row_number: f"{row.reason}: {row.message}" for row in parts.failed()}
        operations: dict[int, str] = {}
        for batch in parts.sendable(outcomes):
            numbers = batch.column(ROW_NUMBER).to_pylist()
            operations |= zip(numbers, map(bytes.decode, items(batch, sync, query)), strict=True)
        for number, outcome in enumerate(outcomes.tolist(), start=1):
            verdict = "valid" if outcome == Outcome.UNDELIVERED else Outcome(outcome).name.lower()
            yield PreviewedRow(query, number, verdict, reasons.get(number, ""), operations.get(number))


def _as_json(rows: list[PreviewedRow]) -> str:
    """The rows as one JSON list, with the operations as they would be sent: no number loses a digit."""
    import orjson

    shown = [asdict(row) | {"operation": row.operation and orjson.Fragment(row.operation)} for row in rows]
    return orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE).decode()


def _show(sync: SyncConfig, rows: list[PreviewedRow]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not rows:
        console.print(f"{sync.name}: the query returned no rows since the last sync time. See all with --full.")
        return
    table = Table(title=f"{sync.name}: {sync.kind} to {sync.workspace}", title_justify="left", show_lines=True)
    for column in ("query", "row", "verdict", "operation, or why there is none"):
        table.add_column(column, overflow="fold")
    for row in rows:
        said = row.operation or row.reason
        colour = "green" if row.verdict == "valid" else "red"
        table.add_row(row.query, str(row.row_number), Text(row.verdict, style=colour), Text(said))
    console.print(table)
