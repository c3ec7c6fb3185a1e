"""What checks of severity ``warn`` found in the rows of one run: what every screen shows of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reverse_etl.counted import counted


@dataclass(frozen=True, slots=True)
class Warned:
    """What one check found that keeps no row back.

    Attributes:
        check: Its name.
        stream: The name of the stream.
        rows: How many rows it found; 0 where a column is at fault, or the changeset as a whole.
        of: How many rows of the stream there are.
        message: What is wrong with which column, and the first row numbers; never a row's value.
    """

    check: str
    stream: str
    rows: int
    of: int
    message: str

    @property
    def sentence(self) -> str:
        """For people, on one line."""
        label = "" if self.stream == "rows" else f" on the {self.stream}"
        rows = f"{self.rows:,} of {counted(self.of, 'row')}: " if self.rows else ""
        return f"warning: {self.check}{label}: {rows}{self.message}"


def in_short(warnings: Iterable[Warned]) -> str:
    """The checks in one line: ``Warnings: email_shared (2 rows), attribute_name_case.``; empty for none."""
    named = [f"{each.check} ({counted(each.rows, 'row')})" if each.rows else each.check for each in warnings]
    return f"Warnings: {', '.join(named)}." if named else ""
