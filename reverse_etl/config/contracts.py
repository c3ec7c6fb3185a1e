"""What the dictionary asks of the columns of one stream. Who reads the dictionary: ``dictionary_file``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from reverse_etl.config.definitions import Definition
from reverse_etl.config.model import nearest

Subject = tuple[str, ...]
"""What names are names of: the path of their definitions in the dictionary, such as ``("attributes",)``."""

DICTIONARY: Final = "dictionary.yaml"


@dataclass(frozen=True, slots=True)
class Term:
    """A name with its meaning.

    Attributes:
        name: As a column spells it.
        definition: What the dictionary's file and the sync say of it together.
        at: Where it is defined, such as ``syncs/dictionary.yaml:4``.
        own: Whether the sync itself names it, so that its query must have the column.
    """

    name: str
    definition: Definition
    at: str
    own: bool = False


@dataclass(frozen=True, slots=True)
class Contract:
    """What the columns of one stream must be.

    Attributes:
        stream: The stream's name.
        subject: What the names are names of.
        terms: Every name that is defined, by itself.
        enforce: Whether a run stops where it is broken; otherwise that is reported.
        apart: Columns with a meaning of their own, which need no definition.
        declared_in: Where one more name would be defined, for messages.
        shared: A hash of what the dictionary's file says of the subject; empty where it says nothing.
        complete: Whether rows need every required attribute: those of an event, not those of a person.
    """

    stream: str
    subject: Subject
    terms: Mapping[str, Term] = field(default_factory=dict)
    enforce: bool = False
    apart: frozenset[str] = frozenset()
    declared_in: str = ""
    complete: bool = False
    shared: str = ""

    def undeclared(self, columns: Iterable[str]) -> tuple[list[str], dict[str, str]]:
        """The columns without a definition, and those that are probably another name's: each with that name."""
        written = list(columns)
        unknown = [name for name in written if name not in self.terms and name not in self.apart]
        by_words = {_words(name): name for name in self.terms if name not in written}
        missing = [term.name for term in self.missing(written)]
        # A name that is only like another one may well be new, unless that one is missed.
        renamed = {name: meant for name in unknown if (meant := by_words.get(_words(name)) or nearest(name, missing))}
        return [name for name in unknown if name not in renamed], renamed

    def missing(self, columns: Iterable[str]) -> list[Term]:
        """The names that must be among the columns and are not."""
        written = set(columns)
        needed = (term for term in self.terms.values() if term.own or (self.complete and term.definition.required))
        return [term for term in needed if term.name not in written]


def _words(name: str) -> str:
    """A name without its case and the signs between its words: ``firstName`` and ``first_name`` are alike."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def quoted(names: Iterable[str], most: int = 5) -> str:
    """Names in a sentence: ```a`, `b` and 3 more``."""
    marked = [f"`{name}`" for name in names]
    if len(marked) > most + 1:
        marked = [*marked[:most], f"{len(marked) - most} more"]
    return f"{', '.join(marked[:-1])} and {marked[-1]}" if len(marked) > 1 else "".join(marked)
