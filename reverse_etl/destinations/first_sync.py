"""A first sync to a kind of destination: what ``init`` asks a person, and what the answers make of a sync's file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Asks(Protocol):
    """A person at a terminal. Questions are half a line at most; an answer that does not fit is asked for again."""

    def text(self, question: str, default: str | None = None) -> str:
        """Any text, without blanks around it; never empty where there is no default."""
        ...

    def texts(self, question: str, default: str | None = None) -> list[str]:
        """Texts with commas between them; at least one where there is no default, or one that is not empty."""
        ...

    def named(self, question: str, names: Sequence[str], what: str) -> str:
        """One of some names, which are shown after a word for them; any text where there are none, or with a dot."""
        ...

    def tell(self, sentence: str) -> None:
        """Says something."""
        ...

    def choice(self, question: str, choices: Sequence[str], default: str | None = "") -> str:
        """One of some words; by default the first, with None none of them."""
        ...


@dataclass(frozen=True, slots=True)
class NeededColumn:
    """A column that the query must return.

    Attributes:
        name: What the query calls it.
        question: How a person is asked for the source table's column: ``Column that holds the id``.
        named_alike: Whether the source's column is usually called the same.
        optional: Whether rows can do without.
        key: Whether it tells rows apart, as the table's own key does.
    """

    name: str
    question: str
    named_alike: bool = True
    optional: bool = False
    key: bool = False


@dataclass(frozen=True, slots=True)
class FirstRows:
    """What rows are to be.

    Attributes:
        section: The key of the sync's file.
        settings: What stands under it.
        columns: Those that the query must return; others are asked for besides.
        address: What the query must call a column with an e-mail address so that it is taken for one; empty where any
            name will do.
    """

    section: str
    settings: dict[str, Any]
    columns: tuple[NeededColumn, ...]
    address: str = ""
