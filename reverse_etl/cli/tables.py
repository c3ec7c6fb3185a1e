"""Tables and sentences for people: they end at the terminal's edge, and no word is broken there.

A table that is too wide shows its column of sentences below the rows, and then leaves out the columns that it can do
without. One that is still too wide shows each row as a block of lines. Only a word that is longer than a line, such
as a path, goes over the edge: whole, so that it can be copied.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from reverse_etl.cli.words import text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rich.console import Console
    from rich.text import Text

_GAP: Final = "  "
_WORD: Final = re.compile(r"\S+\s*")
_SENTENCE: Final = 24
"""Columns of the terminal that a cell with a sentence has at least; a shorter cell has as many as its longest word."""


@dataclass(slots=True)
class Rows:
    """A table that is shown when it has all its rows.

    Attributes:
        columns: The headings.
        numbers: Those of them that are set to the right.
        below: The one of sentences, which stand below their rows where the table is too wide; empty for none.
        extras: Those that are left out where the table is too wide, the last one first.
        whole: Those of which no line is broken: of times.
        always_below: Whether those of ``below`` stand below their rows however wide the terminal is.
    """

    columns: tuple[str, ...]
    numbers: Collection[str] = ()
    below: str = ""
    extras: Sequence[str] = ()
    whole: Collection[str] = ()
    always_below: bool = False
    _rows: list[tuple[Text, ...]] = field(default_factory=list)

    def add(self, *cells: str | Text) -> None:
        """Adds a row, with a cell for each column."""
        self._rows.append(tuple(map(_text, cells)))

    def show(self, console: Console) -> None:
        """Prints the table, as wide as the console is at most."""
        shown = list(range(len(self.columns)))
        to_go = [self.columns.index(name) for name in (*self.extras, self.below) if name]
        if self.always_below:
            shown.remove(to_go.pop())
        while not (widths := self._widths(console, shown)):
            if not to_go:
                self._show_blocks(console)
                return
            shown.remove(to_go.pop())
        self._show_table(console, shown, widths)

    def _widths(self, console: Console, shown: list[int]) -> list[int]:
        """Columns of the terminal for each column of the table; empty where they are more than there are."""
        cells = [[text(self.columns[i]), *(row[i] for row in self._rows)] for i in shown]
        wanted = [max(map(_longest_line, column)) for column in cells]
        widths = [
            most
            if self.columns[i] in self.whole
            else max(_SENTENCE if most > _SENTENCE else 0, *map(_longest_word, column))
            for i, column, most in zip(shown, cells, wanted, strict=True)
        ]
        spare = console.width - len(_GAP) * (len(shown) - 1) - sum(widths)
        if spare < 0:
            return []
        while spare and widths != wanted:
            # What is left goes to the columns that want more, a bit to each.
            for i, most in enumerate(wanted):
                if spare and widths[i] < most:
                    widths[i] += 1
                    spare -= 1
        return widths

    def _show_table(self, console: Console, shown: list[int], widths: list[int]) -> None:
        self._show_row(console, [text(self.columns[i], "bold") for i in shown], shown, widths)
        print_line(console, text("─" * (sum(widths) + len(_GAP) * (len(widths) - 1)), "dim"))
        below = self.columns.index(self.below) if self.below else None
        for row in self._rows:
            self._show_row(console, [row[i] for i in shown], shown, widths)
            if below is not None and below not in shown:
                for line in wrapped(row[below], console.width - len(_GAP)):
                    print_line(console, text(_GAP).append_text(line))

    def _show_row(self, console: Console, cells: list[Text], shown: list[int], widths: list[int]) -> None:
        lines = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
        for parts in zip_longest(*lines, fillvalue=text("")):
            line = text("")
            for i, part, width in zip(shown, parts, widths, strict=True):
                blanks = " " * (width - part.cell_len)
                at_right = self.columns[i] in self.numbers
                line.append(blanks if at_right else "").append_text(part).append("" if at_right else blanks)
                line.append(_GAP)
            line.rstrip()
            print_line(console, line)

    def _show_blocks(self, console: Console) -> None:
        labels = max(map(len, self.columns)) + len(_GAP)
        for number, row in enumerate(self._rows):
            if number:
                console.print()
            for heading, cell in zip(self.columns, row, strict=True):
                label = text(heading.ljust(labels), "bold")
                for line in wrapped(cell, max(console.width - labels, _SENTENCE)):
                    print_line(console, label.append_text(line))
                    label = text(" " * labels)


def say(console: Console, words: str | Text, *, style: str = "", indent: str = "", end: str = "\n") -> None:
    """Prints sentences; in a terminal no line is longer than it, and ``indent`` stands before all lines but the first.

    A program that reads them gets the lines as they are. The last line ends with ``end``.
    """
    sentences = _text(words, style)
    has_edge = console.is_terminal or "COLUMNS" in os.environ
    lines = wrapped(sentences, console.width - len(indent)) if has_edge else sentences.split("\n")
    for number, line in enumerate(lines):
        whole = text(indent if number else "").append_text(line)
        print_line(console, whole, end=end if number + 1 == len(lines) else "\n")


def wrapped(words: Text, width: int) -> list[Text]:
    """The lines of a text; no word is broken or lost. Empty for no words."""
    if not words.plain:
        return []
    lines = [part for line in words.split("\n") for part in line.divide(_breaks(line.plain, width))]
    for line in lines:
        line.rstrip()
    return lines


def _breaks(line: str, width: int) -> list[int]:
    """Where in a line another one begins: before the words that go over the edge."""
    from rich.cells import cell_len

    breaks, used = [], 0
    for word in _WORD.finditer(line):
        if used and used + cell_len(word[0].rstrip()) > width:
            breaks.append(word.start())
            used = 0
        used += cell_len(word[0])
    return breaks


def print_line(console: Console, line: Text, *, end: str = "\n") -> None:
    """Prints one line as it is, however long."""
    console.print(line, soft_wrap=True, end=end)


def _text(words: str | Text, style: str = "") -> Text:
    return text(words, style) if isinstance(words, str) else words


def _longest_line(words: Text) -> int:
    return max((line.cell_len for line in words.split("\n")), default=0)


def _longest_word(words: Text) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, words.plain.split()), default=0)
