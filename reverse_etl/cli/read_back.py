"""Rows read back from where they were sent: what ``verify`` and ``spot-check`` do and show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from reverse_etl.cli import words
from reverse_etl.cli.bars import shown_progress
from reverse_etl.cli.project import resolve_credentials, runnable_project, sync_named
from reverse_etl.cli.tables import Rows, say
from reverse_etl.counted import counted
from reverse_etl.errors import SOME_ROWS_FAILED_EXIT_CODE, ReverseEtlError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from reverse_etl.run.verify import Difference, Verified

MOST_SAMPLED: Final = 1_000

_MOST_SHOWN: Final = 20
_LONGEST: Final = 40
"""Characters of a value."""

_AGES: Final = {
    "last_hour": "1 hour",
    "last_4_hours": "4 hours",
    "last_day": "1 day",
    "older": "older",
    "no_time": "no time",
}
"""Headings, by what ``run.ages`` calls them."""


def read_back(sync: str, syncs: Path, *, sample: int, values: bool, as_json: bool, age_of: Sequence[str] = ()) -> None:
    """Looks rows up and prints what was found. Raises typer.Exit where a row differs or is missing."""
    from reverse_etl.config.spot_check import not_read_back
    from reverse_etl.run.verify import verify

    project = runnable_project(syncs, sync)
    config = sync_named(project, sync)
    destination = project.destinations[config.destination]
    if (reason := not_read_back(config, destination)) is not None:
        raise reason
    resolve_credentials(project, config)
    try:
        with shown_progress(sync):
            found = verify(
                config,
                project.databases[config.database],
                destination,
                sample=sample,
                with_values=values,
                age_of=age_of,
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
    if found.ages:
        _ages(found).show(console)
    if found.differs or found.missing:
        say(
            console,
            "What changed in the source since the last run differs, too: run the sync, then look again. `run --full` "
            "also writes over what others changed there.",
        )


def _ages(found: Verified) -> Rows:
    """How old the values are, as the destination has them."""
    table = Rows(("age of", *_AGES.values()), numbers=tuple(_AGES.values()))
    for name, ages in found.ages.items():
        table.add(name, *(f"{ages[bucket]:,}" for bucket in _AGES))
    return table


def _shown(row: Difference) -> str:
    key = words.value(row.key, _LONGEST)
    if row.missing:
        return f"- {key}"
    pairs = (f"{name} {_text(found)} instead of {_text(expected)}" for name, (expected, found) in row.columns.items())
    return f"~ {key}  {' · '.join(pairs)}"


def _text(value: str | None) -> str:
    return "nothing" if value is None else f"{words.value(value, _LONGEST)}"
