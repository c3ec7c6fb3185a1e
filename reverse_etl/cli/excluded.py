"""Why rows of a run were left out, as ``run`` and ``errors`` show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.cli.tables import say

if TYPE_CHECKING:
    from rich.console import Console

    from reverse_etl.report import RunReport


def say_excluded(report: RunReport, console: Console) -> None:
    """Prints why rows were left out, a line a reason."""
    for each in report.excluded_by:
        why = f"{each.reason}: {each.message}" if each.message else each.reason
        say(console, f"  {each.rows:,} excluded, {why}", indent="    ")
