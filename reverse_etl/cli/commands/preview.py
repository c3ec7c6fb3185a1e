"""``preview``: some rows of a sync, each with its verdict and the exact operation that would be sent."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.project import AsJson, SyncsFolder, runnable_project, sync_named, sync_names
from reverse_etl.cli.tables import Rows, print_line, say
from reverse_etl.errors import ReverseEtlError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from rich.text import Text

    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.config.loader import ProjectConfig
    from reverse_etl.config.syncs import SyncConfig

EXAMPLES: Final = ("preview customers", "preview customers --full --limit 5")

MOST_ROWS = 100
_LONGEST = 40
"""Characters of a value in a table."""


@dataclass(frozen=True, slots=True)
class PreviewedRow:
    """One row as the preview shows it.

    Attributes:
        query: The name of the stream.
        row_number: From 1.
        verdict: ``valid``, ``rejected`` or ``excluded``.
        reason: Why it is not valid; empty when it is.
        operation: The JSON that would be sent, to the byte; None when nothing would be.
        values: The row as the query returned it, as text by column; empty for NULL. Numbers that identify it are
            spelled as they are sent.
        shaped: The same of what `where`, `columns` and `transform` make of it; None where the sync has none of them, or
            the row is left out.
    """

    query: str
    row_number: int
    verdict: str
    reason: str
    operation: str | None
    values: dict[str, str]
    shaped: dict[str, str] | None = None


def preview(
    sync: Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)],
    syncs: SyncsFolder = Path("syncs"),
    limit: Annotated[int, typer.Option(min=1, max=MOST_ROWS, help="Rows of each query to look at.")] = 10,
    full: Annotated[bool, typer.Option("--full", help="Read from last sync time 0: everything.")] = False,
    operations: Annotated[
        bool, typer.Option("--operations", help="Show the exact operation that would be sent for each row.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show rows, verdicts and operations; nothing is sent, nothing is remembered."""
    project = runnable_project(syncs, sync)
    config = sync_named(project, sync)
    try:
        rows = list(previewed(project, config, limit=limit, full=full))
    except ReverseEtlError as error:
        error.located(config.where)
        raise
    if as_json:
        sys.stdout.write(_as_json(rows))
    else:
        _show(config, rows, operations=operations)


def previewed(project: ProjectConfig, sync: SyncConfig, *, limit: int, full: bool) -> Iterator[PreviewedRow]:
    """Reads, validates and encodes at most ``limit`` rows of each query.

    Raises:
        SourceError: The database cannot give the rows.
        ConfigError: A needed column is missing.
    """
    from reverse_etl.changeset.extract import Before, extract
    from reverse_etl.changeset.parts import RunFolder, with_row_numbers
    from reverse_etl.changeset.scope import Scope
    from reverse_etl.checks.base import warnings_of
    from reverse_etl.checks.runner import validate
    from reverse_etl.config.changes import late_of
    from reverse_etl.sources import connect, dialect
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import open_store
    from reverse_etl.state.syncs import sync_state

    database = project.databases[sync.database]
    store = open_store(Home.from_environment(project.directory).state_url)
    before = Before() if full else sync_state(store, sync.name).before()
    late = late_of(sync.changes, database.late)
    with tempfile.TemporaryDirectory(prefix="reverse-etl-") as path:
        folder = RunFolder(Path(path) / "preview")
        read: dict[str, list[pa.RecordBatch]] = {}
        with connect(database) as session:
            extract(
                sync,
                session,
                folder,
                before=before,
                late=late,
                dialect=dialect(database),
                scope=Scope(limit=limit),
                timezone=database.timezone,
                unshaped=read,
            )
        validation = validate(sync, folder)
        if validation.stopped:
            say(words.console(stderr=True), validation.would_stop[0].upper() + validation.would_stop[1:])
        for warned in warnings_of(validation.results):
            say(words.console(stderr=True), warned.sentence)
        if note := sync.note(folder):
            say(words.console(stderr=True), note)
        numbered = {stream: list(with_row_numbers(batches)) for stream, batches in read.items()}
        yield from _rows(sync, folder, numbered)


def _rows(sync: SyncConfig, folder: RunFolder, read: Mapping[str, list[pa.RecordBatch]]) -> Iterator[PreviewedRow]:
    """The rows of every stream; ``read`` has those of streams that are shaped as their queries returned them."""
    from reverse_etl.changeset.parts import ROW_NUMBER
    from reverse_etl.destinations import kind
    from reverse_etl.report import Outcome

    for stream in sync.streams:
        parts, outcomes = folder.parts(stream.name), folder.outcomes(stream.name)
        excluded = {number: f"{each.rule}: {each.message}" for each in parts.excluded() for number in each.first}
        reasons = excluded | {row.row_number: f"{row.why.reason}: {row.why.message}" for row in parts.failed()}
        operations: dict[int, str] = {}
        after = dict(_values(parts.batches(), stream.identifier))
        before = dict(_values(read[stream.name], stream.identifier)) if stream.name in read else after
        for batch in parts.sendable(outcomes):
            numbers = batch.column(ROW_NUMBER).to_pylist()
            operations |= zip(
                numbers, map(bytes.decode, kind(sync.DESTINATION).shown(batch, sync, stream.name)), strict=True
            )
        for number, outcome in enumerate(outcomes.tolist(), start=1):
            verdict = "valid" if outcome == Outcome.UNDELIVERED else Outcome(outcome).name.lower()
            reason, operation = reasons.get(number, ""), operations.get(number)
            shaped = after.get(number) if stream.name in read else None
            yield PreviewedRow(stream.name, number, verdict, reason, operation, before[number], shaped)


def _values(batches: Iterable[pa.RecordBatch], identifier: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    from reverse_etl.changeset.parts import ROW_NUMBER
    from reverse_etl.changeset.text import as_text
    from reverse_etl.checks._batch import is_number
    from reverse_etl.sources._instants import values as python_values

    for batch in batches:
        fields = zip(batch.columns, batch.schema, strict=True)
        columns = [
            as_text(column, field).to_pylist()
            if field.name in identifier and is_number(field)
            else python_values(column)
            for column, field in fields
        ]
        for values in zip(*columns, strict=True):
            row = dict(zip(batch.schema.names, values, strict=True))
            number = row.pop(ROW_NUMBER)
            yield number, {name: "" if value is None else str(value) for name, value in row.items()}


def _as_json(rows: list[PreviewedRow]) -> str:
    """The rows as one JSON list, with the operations as they would be sent: no number loses a digit."""
    import orjson

    shown = [asdict(row) | {"operation": row.operation and orjson.Fragment(row.operation)} for row in rows]
    shaped = {row.query for row in rows if row.shaped is not None}
    for row in shown:
        if row["query"] not in shaped:
            del row["shaped"], row["values"]
    return orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE).decode()


def _show(sync: SyncConfig, rows: list[PreviewedRow], *, operations: bool) -> None:
    """The rows as tables of their values; or each one's operation on a line of its own, whole."""
    console = words.console()
    if not rows:
        say(console, f"{sync.name}: the query returned no rows since the last sync time. See all with --full.")
        return
    say(console, f"{sync.name}: {sync.kind} to {sync.destination}", style="bold")
    if operations:
        for row in rows:
            say(console, _verdict(row).append(f" {row.query} {row.row_number}"))
            if row.operation:
                print_line(console, words.text(row.operation))
            else:
                say(console, row.reason)
        return
    for query in dict.fromkeys(row.query for row in rows):
        console.print()
        here = [row for row in rows if row.query == query]
        _table(here).show(console)
        if any(row.shaped is not None for row in here):
            console.print()
            _shaped_table(here).show(console)
    console.print()
    say(console, "See each row as it would be sent, with --operations.")


def _table(rows: list[PreviewedRow]) -> Rows:
    """Rows of one query; a value that is too long is cut at its end, for ``--operations`` has it whole."""
    columns = tuple(rows[0].values)
    why = "why" if any(row.reason for row in rows) else ""
    headings = (rows[0].query, "verdict", *columns, *([why] if why else []))
    table = Rows(headings, numbers=(rows[0].query,), below=why)
    for row in rows:
        values = [words.value(each, _LONGEST) for each in row.values.values()]
        table.add(str(row.row_number), _verdict(row), *values, *([row.reason] if why else []))
    return table


def _shaped_table(rows: list[PreviewedRow]) -> Rows:
    """What became of the rows of one query that is shaped."""
    shaped = [(str(row.row_number), row.shaped) for row in rows if row.shaped is not None]
    name = f"{rows[0].query}, shaped"
    table = Rows((name, *shaped[0][1]), numbers=(name,))
    for number, values in shaped:
        table.add(number, *(words.value(each, _LONGEST) for each in values.values()))
    return table


def _verdict(row: PreviewedRow) -> Text:
    return words.text(row.verdict, "green" if row.verdict == "valid" else "red")
