"""``verify``: whether a destination has what its source has, by a sample of rows that are looked up there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from reverse_etl.cli.project import AsJson, SyncsFolder, sync_names
from reverse_etl.cli.read_back import MOST_SAMPLED, read_back

EXAMPLES: Final = ("verify crm_customers", "verify crm_customers --sample 500 --values")


def verify(
    sync: Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)],
    syncs: SyncsFolder = Path("syncs"),
    sample: Annotated[
        int, typer.Option(min=1, max=MOST_SAMPLED, metavar="N", help="Rows to look up, chosen at random.")
    ] = 100,
    values: Annotated[bool, typer.Option("--values", help="Show keys, and what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look rows up in a sync's table, and compare each column with the source as it is now; nothing is changed."""
    read_back(sync, syncs, sample=sample, values=values, as_json=as_json)
