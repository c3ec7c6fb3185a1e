"""What is shown of a run's progress, on a clock that stands still between two events."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import StringIO

import pytest
from rich.console import Console

from reverse_etl.cli.bars import Bars, Lines
from reverse_etl.progress import Progress, Waiting


@dataclass(slots=True)
class Watch:
    """A clock that is set by hand, and bars drawn by it."""

    width: int = 80
    seconds: float = 0.0
    bars: Bars = field(init=False)
    console: Console = field(init=False)

    def __post_init__(self) -> None:
        self.console = Console(file=StringIO(), width=self.width, force_terminal=True, color_system=None)
        self.bars = Bars(self.console, lambda: self.seconds)

    def frame(self) -> list[str]:
        """The lines that are drawn now."""
        with self.console.capture() as drawn:
            self.console.print(self.bars)
        return [line.rstrip() for line in drawn.get().splitlines()]

    def hear(self, stage: str, done: int, total: int | None, *, after_s: float = 0.0, query: str = "rows") -> None:
        """Lets some time pass, then tells how far a stage is."""
        self.seconds += after_s
        self.bars.hear(Progress(stage, query, done, total=total))  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [46, 60, 80, 120])
def test_each_stage_has_a_line_that_fits(width: int) -> None:
    """Rows so far, of how many, and rows a second; what ends without having known how many is full then."""
    watch = Watch(width)
    watch.hear("extract", 0, None)
    watch.hear("extract", 5_000_000, None, after_s=10)
    (extract,) = watch.frame()
    assert all(part in extract for part in ("extract", "5,000,000"))
    assert ("500,000 rows/s" in extract) == (width >= 60)
    watch.hear("deliver", 0, 5_000_000, query="relationships")
    watch.hear("deliver", 1_250_000, 5_000_000, query="relationships", after_s=100)
    extract, deliver = watch.frame()
    assert extract.startswith("✓ extract" if width > 60 else "extract")
    assert all(part in deliver for part in ("deliver relationships", "1,250,000 of 5,000,000"))
    assert ("12,500 rows/s" in deliver) == (width >= 60)
    assert max(map(len, (extract, deliver))) <= width


def test_a_stage_without_rows_ends_full() -> None:
    """Nothing changed since the last run: no bar stays open."""
    watch = Watch()
    watch.hear("extract", 0, None)
    watch.hear("validate", 0, 0)
    assert all(line.startswith("✓") and "━" in line for line in watch.frame())


def test_a_wait_counts_down() -> None:
    """What is waited for and how long still; progress of other requests does not hide it, its end does."""
    watch = Watch()
    watch.hear("deliver", 10, 100)
    why = "because workspace main asked for it (HTTP 429)"
    watch.bars.hear(Waiting(f"Waits 30 s {why}.", where="workspace main", why=why, lasts_s=30))
    watch.seconds += 12
    assert f"Waits 18 s more {why}." == watch.frame()[-1]
    watch.hear("deliver", 20, 100)
    assert f"Waits 18 s more {why}." == watch.frame()[-1]
    watch.seconds += 18
    assert 1 == len(watch.frame())


def test_a_wait_for_the_workspace_lasts_until_the_run_continues() -> None:
    """Its end is not known; how to end it oneself is."""
    watch = Watch(60)
    watch.bars.hear(Waiting("Waits for the workspace: run 1 of sync staff is in progress."))
    waiting = ["Waits for the workspace: run 1 of sync staff is in progress.", "Ctrl-C ends the waiting."]
    assert waiting == watch.frame()[-2:]
    watch.bars.hear(Waiting("Waits for the workspace, for 1 min so far: run 1 of sync staff is in progress."))
    assert 1 == sum("Waits for the workspace" in line for line in watch.frame())
    watch.hear("extract", 0, None)
    assert 1 == len(watch.frame())


def test_a_log_gets_a_line_every_half_minute() -> None:
    """And one for each wait; short runs leave none."""
    out, watch = StringIO(), Watch()
    lines = Lines("customers", out, lambda: watch.seconds)
    lines.hear(Progress("deliver", "rows", 0))
    for second in range(1, 66):
        watch.seconds = second
        lines.hear(Progress("deliver", "rows", second * 10, total=5_000))
    lines.hear(Waiting("Waits 30 s because workspace main asked for it (HTTP 429)."))
    assert [
        "customers: deliver: 300 of 5,000 rows, 10 rows/s",
        "customers: deliver: 600 of 5,000 rows, 10 rows/s",
        "customers: Waits 30 s because workspace main asked for it (HTTP 429).",
    ] == out.getvalue().splitlines()
