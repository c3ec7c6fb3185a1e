"""``query_file``: a query in a file of its own, which the sync has from then on as if its own file had it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Annotated, Any, Final

from pydantic import Field

from reverse_etl.config.document import Document, Place
from reverse_etl.config.problems import Path, Problem, problem_at
from reverse_etl.config.shown import shown

QUERY: Final = "query"
QUERY_FILE: Final = "query_file"

QueryFile = Annotated[
    str | None, Field(exclude=True, description="In place of query: a file with that SELECT, relative to this file.")
]
"""A pydantic field beside ``query``, which has the text of the file."""

ONE_QUERY: Final[dict[str, Any]] = {"oneOf": [{"required": [QUERY]}, {"required": [QUERY_FILE]}]}
"""What a mapping that needs a query has, for its JSON Schema."""

_LONGEST_BYTES: Final = 1024 * 1024
_NO_QUERIES: Final = frozenset({"tests", "checks"})
"""Keys under which no query stands."""


def query_missing(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A misfit, where a mapping that needs a query has neither of the two keys."""
    if not {QUERY, QUERY_FILE} & given.keys():
        yield "", "needs query or query_file"


@dataclass(frozen=True, slots=True)
class QueryFiles:
    """What became of the queries of one sync's file.

    Attributes:
        document: With each text where ``query`` would be; of one that cannot be read, without it.
        files: Those that were read, as people are shown them.
        content: Their bytes.
        problems: What is wrong with them.
    """

    document: Document
    files: tuple[str, ...] = ()
    content: bytes = b""
    problems: tuple[Problem, ...] = ()


def read_query_files(document: Document, *, file: str, folder: FilePath) -> QueryFiles:
    """Reads each ``query_file`` of a sync's file.

    Args:
        document: What is in the sync's file.
        file: The sync's file, as people are shown it.
        folder: Absolute; the paths of queries start here.
    """
    reading = _Reading(document, file, folder, [], [], [])
    values = reading.mapping(document.values, document.place, ())
    if values is document.values:
        return QueryFiles(document)
    return QueryFiles(
        replace(document, values=values), tuple(reading.files), b"\0".join(reading.content), tuple(reading.problems)
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    document: Document
    file: str
    folder: FilePath
    files: list[str]
    content: list[bytes]
    problems: list[Problem]

    def mapping(self, values: dict[str, Any], place: Place, path: Path) -> dict[str, Any]:
        """The mapping with the texts of its files; itself where it names none."""
        found = values
        for key, value in values.items():
            if isinstance(value, dict) and key not in _NO_QUERIES:
                inner = self.mapping(value, place.children[key], (*path, key))
                if inner is not value:
                    found = {**found, key: inner}
        if not isinstance(values.get(QUERY_FILE), str):
            return found
        try:
            text, at = self._text(values, place)
        except ValueError as error:
            self.problems.append(problem_at(self.file, self.document, (*path, QUERY_FILE), str(error)))
            return dict(found)
        place.children[QUERY] = at
        return {**found, QUERY: text}

    def _text(self, values: dict[str, Any], place: Place) -> tuple[str, Place]:
        written: str = values[QUERY_FILE]
        if QUERY in values:
            raise ValueError("means the same as query: keep one of them")
        if not written.strip():
            raise ValueError("must be the path of a file with one SELECT, relative to this file")
        path = self.folder / written
        try:
            if path.exists() and not path.is_file():
                # Reading a pipe without a writer would wait without end.
                raise ValueError(f"{written} cannot be read: it is not a regular file")
            content = path.read_bytes()
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError(f"{written} is not UTF-8 text") from None
        except OSError as error:
            raise ValueError(f"{written} cannot be read: {error.strerror}") from None
        if len(content) > _LONGEST_BYTES:
            raise ValueError(f"{written} is larger than 1 MB")
        if not text.strip():
            raise ValueError(f"{written} is empty")
        self.files.append(shown(path))
        self.content.append(content)
        return text, Place(place.children[QUERY_FILE].line, 1, block=True, file=self.files[-1])
