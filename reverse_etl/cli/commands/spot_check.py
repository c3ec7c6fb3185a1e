"""``spot-check``: whether a workspace has what its source has, and how fresh it is there, by a few people read back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from reverse_etl.cli.project import AsJson, SyncsFolder, sync_names
from reverse_etl.cli.read_back import MOST_SAMPLED, read_back

EXAMPLES: Final = ("spot-check customers", "spot-check customers -n 100 --values --age-of last_order_at")


def spot_check(
    sync: Annotated[str, typer.Argument(help="The sync's name.", autocompletion=sync_names)],
    syncs: SyncsFolder = Path("syncs"),
    sample: Annotated[
        int, typer.Option("-n", "--sample", min=1, max=MOST_SAMPLED, metavar="N", help="How many, chosen at random.")
    ] = 20,
    age_of: Annotated[
        list[str] | None,
        typer.Option("--age-of", metavar="ATTRIBUTE", help="Show the age of this one too; may be given several times."),
    ] = None,
    values: Annotated[bool, typer.Option("--values", help="Show who, and what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read random people or objects back from the workspace, and compare each attribute with the source as it is now.

    It also shows how old each attribute is whose name ends with updated_at. Nothing is changed. Exits with 7 where an
    attribute differs or is missing.
    """
    read_back(sync, syncs, sample=sample, values=values, as_json=as_json, age_of=age_of or ())
