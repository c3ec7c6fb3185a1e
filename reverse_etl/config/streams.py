"""What a sync sends, row set by row set: one query each, and what its columns mean. A destination defines its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ROWS: Final = "rows"
"""The first stream of every sync: the rows of its query."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One of the row sets of a sync.

    Attributes:
        name: ``rows``, or what the destination calls a further one; also its folder's name, and ``FailedRow.query``.
        query: One SELECT as written, with ``{{last_sync_time}}`` not yet replaced.
        at: The query's place in the sync's file, key by key.
        identifier: The columns that name what a row is about, as failed rows show it.
        key: The columns that name what a row is about in the destination, all of which it needs to remove it again.
        required: Columns without which no row can be sent, ``identifier`` included.
        apart: Columns with a meaning of their own, whether or not the result has them; all others are attributes.
        reserved: Words of the destination that no column may be named, each with the way out.
        hints: What to do about a required column that is missing, where it is not to select it.
        repeats: Whether rows with one identifier may come several times, and must arrive in the order of the rows.
    """

    name: str
    query: str
    at: tuple[str, ...] = ("query",)
    identifier: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    apart: frozenset[str] = frozenset()
    reserved: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    repeats: bool = False

    @property
    def gone(self) -> str:
        """What the stream of keys is called that are to be removed: a folder's name, and ``FailedRow.query``."""
        return f"gone_{self.name}"

    @property
    def label(self) -> str:
        """For messages: ``query``, or ``relationships query``."""
        return "query" if self.name == ROWS else f"{self.name} query"
