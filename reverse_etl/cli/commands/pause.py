"""``pause``: due runs are left out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from reverse_etl.cli import words
from reverse_etl.cli.pausing import SyncName, print_status, remember
from reverse_etl.cli.project import AsJson, SyncsFolder, warn_of
from reverse_etl.cli.tables import say

EXAMPLES: Final = ("pause customers", "pause customers --json")


def pause(sync: SyncName, syncs: SyncsFolder = Path("syncs"), as_json: AsJson = False) -> None:
    """Pause a sync: no due run starts until it is resumed; a run by hand still works."""
    found, home = remember(sync, syncs, paused=True)
    if as_json:
        print_status(found, home, sync)
    warn_of(found.left_out)
    say(words.console(stderr=True), f"{sync} is paused. To resume it: reverse-etl resume {sync}")
