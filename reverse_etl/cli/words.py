"""How commands write words and values, and where they print. Tables for people: ``tables``; times: ``times``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.times import at_unix as at_unix
from reverse_etl.times import clock as clock
from reverse_etl.times import from_now as from_now
from reverse_etl.times import iso as iso
from reverse_etl.times import length as length
from reverse_etl.times import minute as minute

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_PIPED_WIDTH: Final = 160
"""Columns of a table that goes to a file or another program."""

STATUS_STYLES: Final = {
    "completed": "green",
    "running": "cyan",
    "some_rows_failed": "yellow",
    "skipped": "dim",
    "paused": "yellow",
    "left out": "yellow",
    "stale": "yellow",
    "failed": "red",
    "canceled": "red",
}
"""Colours of the words for statuses; other words have none."""


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
