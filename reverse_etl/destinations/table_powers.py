"""What a table may be able to tell beyond taking rows; asked for by ``isinstance``, so ``tables`` never grows.

``LooksUp`` is for other destinations as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pyarrow as pa

    from reverse_etl.pacing.trouble import TryAgain


@dataclass(frozen=True, slots=True)
class Effects:
    """What writing rows, and deleting some, would do to a table.

    Attributes:
        inserts: Rows that would be added.
        updates: Rows of the table that would be changed.
        unchanged: Rows that the table has already, as they are.
        deletes: Rows of the table that would be deleted, or marked as gone.
        left_out: Rows that ``update_only`` or ``add_only`` leaves out.
        refused: Rows that do not fit, or whose key is that of several rows. What constraints and triggers refuse, only
            writing shows.
        already_gone: Rows that say that they are gone, or keys to remove, of which the table has no row to remove.
        refused_by: How many of the refused rows, by a reason with its field; each row counts once.
    """

    inserts: int = 0
    updates: int = 0
    unchanged: int = 0
    deletes: int = 0
    left_out: int = 0
    refused: int = 0
    already_gone: int = 0
    refused_by: dict[str, int] = field(default_factory=dict, compare=False)

    def __add__(self, other: Effects) -> Effects:
        numbers = {
            each.name: getattr(self, each.name) + getattr(other, each.name)
            for each in fields(self)
            if each.name != "refused_by"
        }
        return Effects(**numbers, refused_by=dict(Counter(self.refused_by) + Counter(other.refused_by)))


@runtime_checkable
class Foresees(Protocol):
    """A table that can report, before anything is written, what writing would do."""

    async def effects(self, batch: pa.RecordBatch) -> Effects | TryAgain:
        """What ``write`` (or ``append``) would do with a slice of what ``fit`` gave; the table is not touched.

        Raises:
            UnauthorizedError: The credentials are refused.
            DestinationRefusedError: The table cannot be looked at.
        """
        ...

    async def effects_of_delete(self, batch: pa.RecordBatch) -> Effects | TryAgain:
        """What ``delete`` would do with a slice, likewise."""
        ...

    async def row_count(self) -> int | TryAgain:
        """How many rows the table has. Raises as ``effects``."""
        ...


@runtime_checkable
class Mirrors(Protocol):
    """A table whose rows can be compared with all that a query returns."""

    async def not_among(self, rows: Iterable[pa.RecordBatch]) -> list[pa.RecordBatch] | TryAgain:
        """The keys of the table's rows that none of these rows has, as the table compares keys; nothing is changed.

        What a sync's ``gone`` has marked already is not among them.

        Args:
            rows: All rows of a whole reading, as they were read, with ``ROW_NUMBER``. Gone through once.

        Returns:
            The columns of the key (``identify_by``) as text, as ``delete`` takes them; in no order.

        Raises:
            UnauthorizedError: The credentials are refused.
            DestinationRefusedError: The table cannot be looked at.
        """
        ...


@dataclass(frozen=True, slots=True)
class Described:
    """A table as ``test-connection`` shows it.

    Attributes:
        name: As the server calls it, with what it is in.
        columns: Each with its type, and what is special about it, in the table's order.
        keys: What is unique: ``PRIMARY KEY (id)``.
        rights: What the user may do with it, in the server's words.
        lacking: What the user may not do, of all that a sync may need.
    """

    name: str
    columns: Sequence[str]
    keys: Sequence[str]
    rights: Sequence[str]
    lacking: Sequence[str]


@runtime_checkable
class LooksAhead(Protocol):
    """A table that can be looked at before the rows are read, and so before it is known for sure what they have."""

    async def look_ahead(self, names: Sequence[str] | None, *, any_case: Collection[str] = ()) -> None:
        """Makes sure, as ``prepare`` does, that the table can take the rows, as far as that is known of them.

        Args:
            names: Their columns; None where only a reading shows them.
            any_case: Those that may turn out to be in another case.

        Raises:
            DestinationError: The table cannot be written to, or the server does not answer.
            ConfigError: The sync's file and the table do not fit.
        """
        ...


@runtime_checkable
class Describes(Protocol):
    """A table that can be shown; it need not be prepared."""

    async def describe(self) -> Described | TryAgain:
        """What is there. Raises ConfigError where there is no such table, DestinationError where it cannot be seen."""
        ...


@runtime_checkable
class ListsTables(Protocol):
    """A kind of destination that can say which tables there are."""

    def tables(self, config: Any) -> Mapping[str, Sequence[str]]:
        """The columns of each table, as a sync's file spells them. Raises ReverseEtlError where it cannot be asked."""
        ...


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What a destination has of rows, beside what it should have.

    Attributes:
        there: Whether it has the row at all; as long as the rows that were asked about.
        same: By attribute, as long: whether it has the value, as it compares values itself; null where the row is not
            there.
        expected: By attribute, as long: the text that it should have; null for no value.
        found: The same that it has.
    """

    there: pa.BooleanArray
    same: Mapping[str, pa.BooleanArray]
    expected: Mapping[str, pa.StringArray]
    found: Mapping[str, pa.StringArray]


@runtime_checkable
class LooksUp(Protocol):
    """A destination that can be asked what it has of rows, by their keys."""

    async def look_up(self, batch: pa.RecordBatch, stream: str) -> LookedUp | TryAgain:
        """What it has of a few rows, a thousand at most; nothing is changed.

        Args:
            batch: Rows of a stream as they are read, with ``ROW_NUMBER``; each can be sent (a table: fits).
            stream: Theirs.

        Raises:
            UnauthorizedError: The credentials are refused.
            DestinationError: The rows cannot be looked up.
        """
        ...
