"""Tables and sentences fit into any terminal without breaking a word."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from reverse_etl.cli import words
from reverse_etl.cli.tables import Rows, say

COLUMNS = ("sync", "rows", "stage", "message")
CELLS = st.lists(st.text("ab1-_,./é漢", min_size=1, max_size=30), max_size=12).map(" ".join)


def screen(width: int, *, terminal: bool = True) -> Console:
    """A terminal of a width, whose text is in `file`."""
    return Console(file=StringIO(), width=width, force_terminal=terminal, color_system=None, highlight=False)


def shown(console: Console) -> str:
    """What has been printed."""
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.thorough
@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=4), st.integers(20, 160))
def test_no_word_is_broken_and_no_line_goes_over_the_edge(rows: list[tuple[str, ...]], width: int) -> None:
    """Each word is whole, but for those of columns that were left out; only a longer word goes over the edge."""
    console = screen(width)
    table = Rows(COLUMNS, numbers=("rows",), below="message", extras=("stage",))
    for row in rows:
        table.add(*row)
    table.show(console)
    lines = shown(console).splitlines()
    there = {word for line in lines for word in line.split()}
    assert {word for row in rows for i in (0, 1, 3) for word in row[i].split()} <= there
    assert there <= {word for row in rows for cell in row for word in cell.split()} | {*COLUMNS} | {
        word for word in there if not word.strip("─")
    }
    longest = max(Console().measure(word).maximum for word in there)
    # A label of nine columns and a cell of at least 24 stand in the lines of a block.
    assert all(words.text(line).cell_len <= max(width, 9 + 24, 9 + longest) for line in lines)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            60,
            "sync  rows  stage  message\n"
            f"{'─' * 60}\n"
            "shop     7  check  column `email` is not a valid e-mail\n"
            "                   address.\n",
        ),
        (
            40,
            f"sync  rows  stage\n{'─' * 17}\nshop     7  check\n  column `email` is not a valid e-mail\n  address.\n",
        ),
        (16, f"sync  rows\n{'─' * 10}\nshop     7\n  column `email`\n  is not a valid\n  e-mail\n  address.\n"),
        (
            8,
            "sync     shop\nrows     7\nstage    check\n"
            "message  column `email` is not a\n         valid e-mail address.\n",
        ),
    ],
)
def test_a_narrow_table_gives_up_columns_before_it_turns_into_blocks(width: int, expected: str) -> None:
    """The sentence goes below its row, then an extra column goes, then each row is a block."""
    console = screen(width)
    table = Rows(COLUMNS, numbers=("rows",), below="message", extras=("stage",))
    table.add("shop", "7", "check", "column `email` is not a valid e-mail address.")
    table.show(console)
    assert expected == shown(console)


def test_a_row_without_a_sentence_has_no_line_for_it() -> None:
    """Nothing is printed below it."""
    console = screen(30)
    table = Rows(COLUMNS, numbers=("rows",), below="message")
    table.add("shop", "7", "check", "")
    table.add("shop", "7", "check", "column `email` is not a valid e-mail address.")
    table.show(console)
    assert ["shop     7  check", "shop     7  check"] == shown(console).splitlines()[2:4]


def test_a_sentence_is_wrapped_for_people_alone() -> None:
    """In a terminal between words, a path whole on its line; for a program the line stays one."""
    sentence = "2 rows failed. They are in:\n/srv/shop/.reverse_etl/failed_rows/customers/7421bb15.csv"
    console = screen(20)
    say(console, sentence, indent="  ")
    assert "2 rows failed.\n  They are in:\n  /srv/shop/.reverse_etl/failed_rows/customers/7421bb15.csv\n" == shown(
        console
    )


def test_a_program_gets_the_sentence_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where output goes to no terminal, and no width is asked for."""
    monkeypatch.delenv("COLUMNS", raising=False)
    console = screen(20, terminal=False)
    say(console, "a sentence that is longer than the line")
    assert "a sentence that is longer than the line\n" == shown(console)


def test_a_value_makes_no_line_of_its_own() -> None:
    """A line end in a row's value would look like another row; a long value is cut by columns of the terminal."""
    console = screen(80)
    table = Rows(("row", "identifier"))
    table.add("1", words.value("a\n2    b\r\n3"))
    table.add("4", words.value("漢" * 40, 11))
    table.show(console)
    assert ["1    a·2    b··3", f"4    {'漢' * 5}…"] == shown(console).splitlines()[2:]
