"""Why rows of a run were left out, and what its checks warn of, as ``run`` and ``errors`` show it."""

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


def say_warnings(report: RunReport, console: Console) -> None:
    """Prints what checks found that keep no row back, a line a check."""
    for each in report.warnings:
        say(console, f"  {each.sentence}", indent="    ")


def say_beside_counts(report: RunReport, console: Console) -> None:
    """Prints what a run's counts do not say."""
    say_excluded(report, console)
    say_warnings(report, console)
