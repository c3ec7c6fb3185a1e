"""What was measured, kept beside the page that is written from it: each part can be measured again alone."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[3] / "docs" / "performance"
FILE: Final = FOLDER / "whole-runs.json"
QUIET: Final = 0.1
"""The share of the processors that others may use for wall times to be comparable."""

LOOPS: Final = ("fetch", "encode", "send")
"""Of the floor."""

PUBLISHED_S: Final = {1_000_000: 40 * 60 + 39}
"""Customer.io's own reverse ETL, rows of 10 columns. Source: the table on reverse ETL performance in its documentation,
as quoted in November 2026."""


def load(file: Path = FILE) -> dict[str, Any]:
    """Everything measured so far; nothing where nothing was."""
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"cases": {}, "peers": {}}


def keep(part: str, found: dict[str, Any], file: Path = FILE) -> None:
    """Puts one part, ``cases`` or ``peers``, in the place of its earlier figures of the same names."""
    figures = load(file)
    for each in found.values():
        each["taken_at"] = datetime.now(UTC).isoformat(timespec="minutes")
        each["machine"] = machine()
    figures[part] |= found
    file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def middle(runs: Sequence[dict[str, float]], name: str) -> float:
    """The median of one figure."""
    return median(run[name] for run in runs)


def spread(runs: Sequence[dict[str, float]], name: str) -> tuple[float, float]:
    """The least and the most."""
    values = [run[name] for run in runs]
    return min(values), max(values)


def machine() -> str:
    """Its processors, memory and Python."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{os.cpu_count()} processors, {pages / 2**30:.0f} GiB, Python {platform.python_version()}"
