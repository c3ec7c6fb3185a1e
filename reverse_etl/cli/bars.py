"""A run's progress on stderr while it lasts: bars in a terminal, elsewhere a line from time to time.

Dagster sends what a step prints to a file, so stderr is kept here as it was before; what is written to it is no output
of the step.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TextIO

from reverse_etl.cli.tables import wrapped
from reverse_etl.cli.words import text
from reverse_etl.counted import counted
from reverse_etl.progress import Progress, Waiting, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.progress import TaskID

_LINE_EVERY_S: Final = 30.0
_NARROW: Final = 72
"""A terminal of fewer columns has no room for bars beside the numbers."""
_TIGHT: Final = 60
"""A terminal of fewer columns has no room for the speed either."""


class _Shown(Protocol):
    def __enter__(self) -> object: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leaves what is shown as it is."""

    def hear(self, event: Progress | Waiting) -> None:
        """Takes news of the run in."""


@contextmanager
def shown_progress(sync: str, *, lines: bool = False) -> Iterator[None]:
    """Shows what is reported inside the block; ``lines`` asks for lines in a terminal, too."""
    with _kept_stderr() as stderr:
        shown: _Shown = Bars(_console(stderr)) if stderr.isatty() and not lines else Lines(sync, stderr)
        with shown, listening(shown.hear):
            yield


@contextmanager
def _kept_stderr() -> Iterator[TextIO]:
    """Stderr as it is now, whatever becomes of file descriptor 2."""
    try:
        own = os.dup(sys.stderr.fileno())
    except OSError:  # a stderr in memory
        yield sys.stderr
        return
    with os.fdopen(own, "w", encoding=sys.stderr.encoding, errors="replace") as stderr:
        yield stderr


def _console(stderr: TextIO) -> Console:
    """A console on a terminal; it learns of the terminal's width from stdin, where that is one."""
    from rich.console import Console

    width = None if sys.stdin.isatty() else os.get_terminal_size(stderr.fileno()).columns
    return Console(file=stderr, highlight=False, width=width)


class Lines:
    """Progress for a log: a line at most every 30 seconds, and one for each wait."""

    def __init__(self, sync: str, out: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._sync = sync
        self._out = out
        self._now = now
        self._next_at = now() + _LINE_EVERY_S
        self._stage: tuple[str, str] = ("", "")
        self._began = (now(), 0)

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def hear(self, event: Progress | Waiting) -> None:
        """Writes a line where one is due."""
        if isinstance(event, Waiting):
            self._write(event.sentence)
            return
        now = self._now()
        if self._stage != (event.stage, event.stream):
            self._stage, self._began = (event.stage, event.stream), (now, event.done)
        if now >= self._next_at:
            self._next_at = now + _LINE_EVERY_S
            began_at, began_with = self._began
            speed = _speed(event.done - began_with, now - began_at)
            self._write(f"{_label(event)}: {_rows(event.done, event.total)}{speed and f', {speed}'}")

    def _write(self, words: str) -> None:
        self._out.write(f"{self._sync}: {words}\n")
        self._out.flush()


class Bars:
    """Progress for a terminal: a bar for each stage, and what is waited for below them."""

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        from rich.live import Live
        from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Tasks
        from rich.table import Column

        whole = Column(no_wrap=True)
        label = TextColumn("{task.description}", table_column=whole)
        count = TextColumn("{task.fields[count]}", justify="right", table_column=whole)
        speed = TextColumn("{task.fields[speed]}", justify="right", table_column=whole)
        bar = BarColumn(bar_width=None, table_column=Column(ratio=1))
        columns: list[ProgressColumn] = [label, count, speed] if console.width >= _TIGHT else [label, count]
        if room := console.width >= _NARROW:
            columns = [SpinnerColumn(finished_text="✓"), label, bar, count, speed, TimeElapsedColumn()]
        self._tasks = Tasks(*columns, console=console, expand=room, get_time=now, auto_refresh=False)
        self._starting = self._tasks.add_task("start", total=None, count="", speed="")
        self._waits = _Waits(now)
        self._now = now
        self._current: TaskID | None = None
        self._began: dict[TaskID, tuple[float, int]] = {}
        self._by_stage: dict[tuple[str, str], TaskID] = {}
        self._live = Live(self, console=console, redirect_stdout=False, redirect_stderr=False)

    def __enter__(self) -> Bars:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waits.end()
        if not self._by_stage:
            self._tasks.remove_task(self._starting)
        for task in self._tasks.task_ids:
            self._tasks.stop_task(task)
        self._live.stop()

    def hear(self, event: Progress | Waiting) -> None:
        """Changes what is drawn."""
        if isinstance(event, Waiting):
            self._waits.add(event)
            return
        self._waits.end_open()
        task = self._task(event)
        began_at, began_with = self._began[task]
        speed = _speed(event.done - began_with, self._now() - began_at)
        # A bar of no rows at all is full.
        done, total = (1, 1) if event.total == 0 else (event.done, event.total)
        self._tasks.update(task, completed=done, total=total, count=_count(event.done, event.total), speed=speed)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One frame."""
        yield self._tasks.get_renderable()
        yield self._waits

    def _task(self, event: Progress) -> TaskID:
        """The bar of a stage. A new one ends the one before, which did not know how many rows it would have."""
        stage = (event.stage, event.stream)
        if stage in self._by_stage:
            return self._by_stage[stage]
        if not self._by_stage:
            self._tasks.remove_task(self._starting)
        if self._current is not None:
            self._end(self._current)
        self._current = self._by_stage[stage] = self._tasks.add_task(
            _label(event), total=event.total, count="", speed=""
        )
        self._began[self._current] = (self._now(), event.done)
        return self._current

    def _end(self, task: TaskID) -> None:
        (ended,) = (each for each in self._tasks.tasks if each.id == task)
        if ended.total is None:
            rows = max(ended.completed, 1)
            self._tasks.update(task, total=rows, completed=rows)


class _Waits:
    """What a run waits for, each a sentence that counts down."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until: dict[Waiting, float | None] = {}

    def add(self, event: Waiting) -> None:
        self.end_open()
        self._until[event] = None if event.lasts_s is None else self._now() + event.lasts_s

    def end_open(self) -> None:
        """Ends those that may end at any time: the run continues, or reports the wait again."""
        self._until = {event: until for event, until in self._until.items() if until is not None and not event.at_most}

    def end(self) -> None:
        self._until.clear()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for event, until in self._until.items():
            if until is None:
                yield from wrapped(text(f"{event.sentence} Ctrl-C ends the waiting.", "yellow"), options.max_width)
            elif (left_s := until - self._now()) > 0:
                yield from wrapped(text(f"Waits {left_s:.0f} s more {event.why}.", "yellow"), options.max_width)


def _label(event: Progress) -> str:
    return event.stage if event.stream == "rows" else f"{event.stage} {event.stream}"


def _count(done: int, total: int | None) -> str:
    return f"{done:,}" if total is None else f"{done:,} of {total:,}"


def _rows(done: int, total: int | None) -> str:
    return counted(done, "row") if total is None else f"{done:,} of {counted(total, 'row')}"


def _speed(rows: int, seconds: float) -> str:
    return f"{rows / seconds:,.0f} rows/s" if rows > 0 and seconds > 0 else ""
