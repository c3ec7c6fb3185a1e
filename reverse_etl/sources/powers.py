"""What only some engines can, asked for with ``isinstance``. What every engine gives is in ``base``."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import pyarrow as pa

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


@runtime_checkable
class ListsKeys(Protocol):
    """An engine whose tables' keys anybody who reads them can see."""

    @property
    def KEYS(self) -> str:  # noqa: N802 - a constant of a module
        """A query of schema, table and column of every primary key."""
        ...


CHANGED_KEY: Final = pa.schema([("table", pa.string()), ("key", pa.string())])
"""A table as ``changes.tables`` names it, and a value of the column that it names there."""


class GapError(Exception):
    """A log does not tell all that happened since a place; why, in a sentence. Everything is to be read instead."""


@dataclass(frozen=True, slots=True)
class LogStatus:
    """What there is to know of a sync's log.

    Attributes:
        exists: Whether the database keeps what changes for the sync.
        problems: What keeps it from working, each a sentence with the statement that helps.
        kept_bytes: What the server keeps for the sync alone; None where it keeps nothing for a sync alone.
        limit_bytes: From where on the server drops it; None where it does not.
    """

    exists: bool
    problems: tuple[str, ...] = ()
    kept_bytes: int | None = None
    limit_bytes: int | None = None


class ChangeLog(Protocol):
    """What a database's log tells of some tables. Places are the engine's own words."""

    def now(self) -> str:
        """The place up to which everything is committed. Raises GapError where the log cannot be read."""
        ...

    def changed(self, since: str, until: str) -> Generator[pa.RecordBatch, None, None]:
        """The keys that were written between two places, as ``CHANGED_KEY``, with repeats; of a changed key both.

        Args:
            since: What a completed run left. What lies before it is not needed any more.
            until: From ``now``.

        Raises:
            GapError: The log does not have all of it, or some of it does not name its keys.
        """
        ...

    def status(self) -> LogStatus:
        """What there is, and what is missing. Raises SourceError."""
        ...

    def create(self) -> None:
        """Has the database keep what changes from now on. Raises SourceError."""
        ...

    def drop(self) -> bool:
        """Has it keep nothing any more; false where it kept nothing. Raises SourceError."""
        ...


@runtime_checkable
class HasLog(Protocol):
    """A session of a database with a log."""

    def log(self, name: str, tables: Mapping[str, str]) -> ChangeLog:
        """The log as a sync reads it.

        Args:
            name: What is the sync's alone in the database, lower-case letters, digits and underscores.
            tables: Names of tables, each with the column that says which row of the query it belongs to.
        """
        ...
