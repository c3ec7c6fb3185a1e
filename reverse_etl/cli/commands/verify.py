"""``verify``: whether a destination has what its source has, by a sample of rows that are looked up there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.bars import shown_progress
from reverse_etl.cli.project import AsJson, SyncsFolder, resolve_credentials, sync_named, sync_names
from reverse_etl.cli.tables import say
from reverse_etl.counted import counted
from reverse_etl.errors import SOME_ROWS_FAILED_EXIT_CODE, ReverseEtlError

if TYPE_CHECKING:
    from rich.console import Console

    from reverse_etl.run.verify import Difference, Verified

EXAMPLES: Final = ("verify crm_customers", "verify crm_customers --sample 500 --values")

_MOST_SAMPLED: Final = 1_000
_MOST_SHOWN: Final = 20
_LONGEST: Final = 40
"""Characters of a value."""


def verify(
    sync: Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)],
    syncs: SyncsFolder = Path("syncs"),
    sample: Annotated[
        int, typer.Option(min=1, max=_MOST_SAMPLED, metavar="N", help="Rows to look up, chosen at random.")
    ] = 100,
    values: Annotated[bool, typer.Option("--values", help="Show keys, and what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look rows up in a sync's table, and compare each column with the source as it is now; nothing is changed."""
    from reverse_etl.config.loader import load_project
    from reverse_etl.run.verify import verify as verified

    project = load_project(syncs)
    config = sync_named(project, sync)
    resolve_credentials(project, config)
    try:
        with shown_progress(sync):
            found = verified(
                config,
                project.databases[config.database],
                project.destinations[config.destination],
                sample=sample,
                with_values=values,
            )
    except ReverseEtlError as error:
        error.located(config.where)
        raise
    if as_json:
        words.print_json(found.as_json())
    else:
        _show(found, config.destination, words.console())
    if found.differs or found.missing:
        raise typer.Exit(SOME_ROWS_FAILED_EXIT_CODE)


def _show(found: Verified, destination: str, console: Console) -> None:
    of = f"{found.sampled:,} of {counted(found.rows, 'row')}"
    say(console, f"{found.sync}: {of} looked up in {destination}", style="bold")
    columns = " · ".join(f"{name} {rows:,}" for name, rows in found.columns.items())
    lines = (("=", found.same, "same"), ("~", found.differs, f"differ: {columns}"), ("-", found.missing, "missing"))
    for sign, number, what in lines:
        if number:
            say(console, f"  {sign} {number:>11,}  {what}", indent=" " * 17)
    for each in found.first[:_MOST_SHOWN]:
        say(console, f"  {_shown(each)}", indent=" " * 4)
    if len(found.first) > _MOST_SHOWN:
        say(console, f"  and {len(found.first) - _MOST_SHOWN:,} more")
    if found.differs or found.missing:
        say(
            console,
            "What changed in the source since the last run differs, too: run the sync, then look again. `run --full` "
            "also writes over what others changed in the table.",
        )


def _shown(row: Difference) -> str:
    key = words.value(row.key, _LONGEST)
    if row.missing:
        return f"- {key}"
    pairs = (f"{name} {_text(found)} instead of {_text(expected)}" for name, (expected, found) in row.columns.items())
    return f"~ {key}  {' · '.join(pairs)}"


def _text(value: str | None) -> str:
    return "nothing" if value is None else f"{words.value(value, _LONGEST)}"
