"""What only some engines can, asked for with ``isinstance``. What every engine gives is in ``base``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from reverse_etl.config.changed import ChangedTable

EVERY_ROW: Final = "TRUE"
"""The condition that every row meets."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Which rows a session sees, in its engine's own words.

    Attributes:
        place: What the next run is to be given, as ``before``.
        changed: A condition that each row of ``{table}`` meets that was not visible before; ``EVERY_ROW`` for all.
        note: Why every row is read although something was remembered, in a sentence; empty when not so.
    """

    place: str
    changed: str
    note: str = ""


@runtime_checkable
class MarksRows(Protocol):
    """A session whose database marks each row with what wrote it."""

    def mark(self, before: str, tables: Sequence[ChangedTable]) -> Mark:
        """What is visible now, against what an earlier session saw.

        Args:
            before: The ``place`` of the last completed run; empty for none.
            tables: Whose rows are asked for.

        Raises:
            QueryError: The rows of one of them are not marked.
        """
        ...
