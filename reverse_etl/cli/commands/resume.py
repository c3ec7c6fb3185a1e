"""``resume``: due runs happen again."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from reverse_etl.cli import words
from reverse_etl.cli.pausing import SyncName, print_status, remember
from reverse_etl.cli.project import AsJson, SyncsFolder, warn_of
from reverse_etl.cli.tables import say

EXAMPLES: Final = ("resume customers",)


def resume(sync: SyncName, syncs: SyncsFolder = Path("syncs"), as_json: AsJson = False) -> None:
    """Resume a paused sync, in Dagster's UI too. Its next run reads what changed meanwhile."""
    from reverse_etl.cli.toggles import switch_on
    from reverse_etl.errors import StateError

    found, home = remember(sync, syncs, paused=False)
    warn_of(found.left_out)
    people = words.console(stderr=True)
    was_off = None
    try:
        was_off = switch_on(home, found.configs[sync])
    except StateError as error:
        say(people, f"Warning: {error}")
    if as_json:
        print_status(found, home, sync)
    if found.configs[sync].schedule.manual:
        once = "once the files are mended, run it with" if sync in found.left_out else "to run it:"
        say(people, f"{sync} is active. It has no due times; {once} reverse-etl run {sync}")
        return
    more = {
        None: ", if its schedule is on in Dagster's UI.",
        True: ". Its schedule was off in Dagster's UI, and is on again.",
        False: ".",
    }
    mended = " once the files are mended" if sync in found.left_out else ""
    say(people, f"{sync} is active: it runs at its next due time{mended}{more[was_off]}")
