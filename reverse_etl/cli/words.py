"""How commands write times and lengths, and where they print. Tables for people: ``tables``."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.counted import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_PIPED_WIDTH: Final = 160
"""Columns of a table that goes to a file or another program."""

STATUS_STYLES: Final = {
    "completed": "green",
    "running": "cyan",
    "some_rows_failed": "yellow",
    "skipped": "dim",
    "paused": "yellow",
    "stale": "yellow",
    "failed": "red",
    "canceled": "red",
}
"""Colours of the words for statuses; other words have none."""


def iso(moment: datetime | None) -> str | None:
    """A point in time as JSON has it: ISO 8601 in UTC, whole seconds."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(moment: datetime | None) -> str:
    """A point in time for people: ``2026-01-05 12:00:00 UTC``; empty for None."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def minute(moment: datetime | None) -> str:
    """A point in time for a table whose heading says UTC: ``2026-01-05 12:00``; empty for None."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def at_unix(seconds: int) -> datetime | None:
    """Unix seconds as an aware date-time; None for 0, which means never."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def length(time: timedelta) -> str:
    """A length of time in its largest unit, rounded down: ``12 minutes``."""
    seconds = int(abs(time).total_seconds())
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= size), _UNITS[-1])
    count = seconds // size
    return counted(count, unit)


def from_now(moment: datetime | None, now: datetime, *, never: str = "never") -> str:
    """Where a point in time lies: ``12 minutes ago``, ``in 3 hours``; ``never`` for None."""
    if moment is None:
        return never
    if abs(moment - now) < timedelta(seconds=1):
        return "now"
    return f"{length(now - moment)} ago" if moment < now else f"in {length(moment - now)}"


def place(path: str | Path) -> str:
    """Where a file is, for people: from the current folder if it lies there, else whole; also of one in a bucket."""
    return os.path.relpath(path) if Path(path).is_relative_to(Path.cwd()) else str(path)


def text(words: object, style: str = "") -> Text:
    """Any words as they are: brackets are no markup, control characters cannot reach the terminal."""
    from rich.text import Text

    return Text("".join(c if c.isprintable() or c == "\n" else "·" for c in str(words)), style=style)


def value(data: str, most: int = sys.maxsize) -> Text:
    """A value of a row, on one line, no wider than this many columns: its line ends make no lines of ours."""
    shown = text(data.replace("\n", "·"))
    shown.truncate(most, overflow="ellipsis")
    return shown


def status_text(status: str) -> Text:
    """A status in its colour."""
    return text(status, STATUS_STYLES.get(status, ""))


def console(*, stderr: bool = False) -> Console:
    """Stdout for tables, or stderr: as wide as the terminal, or wide enough for most tables where there is none."""
    from rich.console import Console

    fixed = (sys.stderr if stderr else sys.stdout).isatty() or "COLUMNS" in os.environ
    return Console(stderr=stderr, highlight=False, width=None if fixed else _PIPED_WIDTH)


def print_json_line(value: Any) -> None:
    """Prints JSON on one line of stdout."""
    json.dump(value, sys.stdout)
    sys.stdout.write("\n")


def print_json(value: Any) -> None:
    """Prints JSON on stdout."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
