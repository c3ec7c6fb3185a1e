"""The shipped syncs of the demos, written where a user has none yet."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from reverse_etl.cli.tables import say

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console


def write_missing(shipped: str, syncs: Path, console: Console) -> None:
    """Writes shipped syncs where there is no folder of syncs yet, and names each file.

    Args:
        shipped: Their folder in ``reverse_etl.demo``.
        syncs: The user's folder.
        console: Where each file is named.
    """
    if syncs.exists():
        return
    syncs.mkdir(parents=True)
    for file in sorted(files("reverse_etl.demo").joinpath(shipped).iterdir(), key=lambda each: each.name):
        (syncs / file.name).write_bytes(file.read_bytes())
        say(console, f"Wrote {syncs / file.name}")
