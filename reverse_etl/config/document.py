"""One YAML file as plain data, with the line of every key. What the keys mean lives elsewhere.

The values are those of YAML 1.2's core schema: ``yes``, ``on``, ``08`` and dates stay the text that was written.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from reverse_etl.config.environment import PlacedText
from reverse_etl.config.numbers import written

_WHOLE: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,30})", re.ASCII)
_DECIMAL: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]{1,4})?", re.ASCII)
_WORDS: Final[dict[str, Any]] = dict.fromkeys(("", "~", "null", "Null", "NULL")) | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_INFINITY: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)", re.ASCII)
_PROPERTIES: Final = re.compile(r"(?:[&!]\S*\s+)*")
_BREAK_IN_QUOTES: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\?\n")
_DEEPEST: Final = 40
_MOST_NODES: Final = 100_000
_TEXT_TAGS: Final = frozenset({None, "!", "tag:yaml.org,2002:str"})


@dataclass(slots=True)
class Place:
    """Where a value stands.

    Attributes:
        line: Of its key, or of the item in a list; from 1.
        text_line: Where the text itself begins, which for a block (``|``) is the next line.
        block: Whether the text is a block whose lines are lines of the file.
        joined: The text with its line breaks, where YAML makes blanks of them; otherwise None. Its first line is
            ``text_line``.
        style: What joined them: ``>``, a quote, or nothing.
        file: As people are shown it, where the text is in another file than its key.
        origin: The file of the key itself and of the places within, where it is another one than the document's.
        children: By key or index.
    """

    line: int
    text_line: int
    block: bool = False
    joined: str | None = None
    style: str = ""
    file: str = ""
    origin: str = ""
    children: dict[str | int, Place] = field(default_factory=dict)

    def line_of(self, path: tuple[str | int, ...]) -> int:
        """The line of the deepest part of a path that was written."""
        place = self
        while path and path[0] in place.children:
            place, path = place.children[path[0]], path[1:]
        return place.line

    def origin_of(self, path: tuple[str | int, ...]) -> str:
        """The file of the deepest part of a path that was written; empty where it is the document's own."""
        place, origin = self, self.origin
        while path and path[0] in place.children:
            place, path = place.children[path[0]], path[1:]
            origin = place.origin or origin
        return origin

    def at(self, *path: str | int) -> Place | None:
        """The place of a path, or None where nothing was written."""
        place: Place | None = self
        for part in path:
            place = place.children.get(part) if place is not None else None
        return place


@dataclass(slots=True)
class Document:
    """A file that was read.

    Attributes:
        values: The mapping at its top; empty when there is none.
        place: Of the top.
        problems: Pairs of a line and a sentence. When there are any, ``values`` may lack what they are about.
    """

    values: dict[str, Any]
    place: Place
    problems: list[tuple[int, str]]


class _UnusableError(Exception):
    """Nothing more of the file can be read. Carries a line and a sentence."""


def read_document(content: bytes, file: str) -> Document:
    """Reads the bytes of one file. ``file`` is its name as people are shown it."""
    place = Place(1, 1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Document({}, place, [(line, "is not UTF-8 text")])
    reader = _Reader(text, file)
    try:
        values, place = reader.read()
    except _UnusableError as error:
        return Document({}, place, [*reader.problems, (error.args[0], error.args[1])])
    except yaml.reader.ReaderError as error:
        return Document({}, place, [(text.count("\n", 0, error.position) + 1, "contains a control character")])
    except yaml.MarkedYAMLError as error:
        return Document({}, place, [*reader.problems, _syntax_problem(error, text)])
    if not isinstance(values, dict):
        what = "is empty" if values is None else "must be keys and values, such as `database: shop`"
        return Document({}, place, [*reader.problems, (place.line, what)])
    return Document(values, place, reader.problems)


class _Reader:
    """Builds values from the parser's events: several times faster than PyYAML's own constructor, with places."""

    def __init__(self, text: str, file: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self._file = file
        self._text = text
        self._lines: list[str] | None = None
        self._anchors: dict[str, tuple[Any, Place, int] | None] = {}
        self._nodes = 0
        self.problems: list[tuple[int, str]] = []

    def read(self) -> tuple[Any, Place]:
        next(self._events)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return None, Place(1, 1)
        value, place = self._value(next(self._events), 0)
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise _UnusableError(event.start_mark.line + 1, "a second document (---) begins: one file holds one")
        return value, place

    def _value(self, event: Any, depth: int) -> tuple[Any, Place]:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), line)
        self._nodes += 1
        before = self._nodes
        if event.anchor:
            self._anchors[event.anchor] = None
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            block = event.style in ("|", ">")
            place = Place(line, line + 1 if block else line, event.style == "|")
            value = self._scalar(event, place.text_line)
            if event.style != "|" and value != "" and _last_line(event) > line:
                place.joined, place.style = self._unjoined(event), event.style or ""
        else:
            if depth >= _DEEPEST:
                raise _UnusableError(line, "is nested too deeply")
            place = Place(line, line)
            if event.tag not in (None, "!"):
                self._refuse_tag(event.tag, line)
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            value = self._mapping(place, depth) if is_mapping else self._list(place, depth)
        if event.anchor:
            self._anchors[event.anchor] = (value, place, self._nodes - before + 1)
        return value, place

    def _alias(self, anchor: str, line: int) -> tuple[Any, Place]:
        if anchor not in self._anchors:
            raise _UnusableError(line, f"*{anchor} has no anchor &{anchor} before it; quote text that begins with *")
        known = self._anchors[anchor]
        if known is None:
            raise _UnusableError(line, f"*{anchor} stands within its own anchor")
        value, place, nodes = known
        self._nodes += nodes
        if self._nodes > _MOST_NODES:
            raise _UnusableError(line, "aliases multiply to too many values")
        return value, replace(place, line=line)

    def _scalar(self, event: Any, line: int) -> Any:
        text: str = event.value
        if event.tag not in _TEXT_TAGS:
            self._refuse_tag(event.tag, line)
        if event.implicit[0]:
            if text in _WORDS:
                return _WORDS[text]
            if _WHOLE.fullmatch(text):
                return int(text)
            if _DECIMAL.fullmatch(text) or _INFINITY.fullmatch(text):
                return written(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf"))
        return PlacedText(text, self._file, line) if "${" in text else text

    def _unjoined(self, event: Any) -> str:
        """A scalar's text with the line breaks that were written."""
        if self._lines is None:
            self._lines = self._text.split("\n")
        begin, end = event.start_mark, event.end_mark
        if event.style == ">":
            header = self._lines[begin.line][begin.column :]
            return _block(self._lines[begin.line + 1 : end.line + (end.column > 0)], header)
        lines = self._lines[begin.line : end.line + 1]
        lines[-1] = lines[-1][: end.column]
        lines[0] = _PROPERTIES.sub("", lines[0][begin.column :])
        text = "\n".join(line.strip() for line in lines)
        if event.style == "'":
            return text[1:-1].replace("''", "'")
        if event.style == '"':
            return str(yaml.safe_load(_BREAK_IN_QUOTES.sub(r"\1\\n", text)))
        return text

    def _list(self, place: Place, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            item, place.children[len(items)] = self._value(event, depth + 1)
            items.append(item)
        return items

    def _mapping(self, place: Place, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: list[tuple[Any, Place]] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise _UnusableError(line, "a key must be plain text")
            key: str = event.value
            value, value_place = self._value(next(self._events), depth + 1)
            value_place.line = line
            if key == "<<" and event.implicit[0]:
                merged.append((value, value_place))
            elif key in mapping:
                first = place.children[key].line
                self.problems.append((line, f"{key}: is written twice (first on line {first})"))
            else:
                mapping[key] = value
                place.children[key] = value_place
        for value, value_place in merged:
            self._merge(value, value_place, mapping, place)
        return mapping

    def _merge(self, value: Any, value_place: Place, mapping: dict[str, Any], place: Place) -> None:
        sources = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for index, source in sources:
            if not isinstance(source, dict):
                self.problems.append((value_place.line, "<<: takes an alias of keys and values"))
                continue
            source_place = value_place if index is None else value_place.children[index]
            for key, merged in source.items():
                if key not in mapping:
                    mapping[key] = merged
                    place.children[key] = source_place.children[key]

    def _refuse_tag(self, tag: str, line: int) -> None:
        shown = tag.replace("tag:yaml.org,2002:", "!!")
        self.problems.append((line, f"the tag {shown} is not known here: leave it out"))


def _last_line(event: Any) -> int:
    return int(event.end_mark.line) + 1


def _block(lines: list[str], header: str) -> str:
    """The text of a block without its indentation."""
    indents = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip() and line[0] == " "]
    # A digit beside the > means that the first line may be indented more than the text is.
    first_may_be_deeper = re.search(r">-?\+?[1-9]", header)
    indent = " " * (min(indents, default=0) if first_may_be_deeper else next(iter(indents), 0))
    text_lines = itertools.takewhile(lambda line: not line.strip() or line.startswith(indent), lines)
    return "\n".join(line.removeprefix(indent) for line in text_lines)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """What a syntax error means in plain words."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    lines = text.split("\n")
    written = lines[line] if line < len(lines) else ""
    character = written[column : column + 1]
    problem, context = str(error.problem or "is not YAML"), str(error.context or "")
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return line + 1, "is indented with a tab: use spaces"
    if "scanning an alias" in context:
        return line + 1, "text that begins with * needs quotes"
    if "cannot start any token" in problem and character:
        return line + 1, f"text that begins with {character} needs quotes"
    if "mapping values are not allowed" in problem:
        return line + 1, "a colon where none can be: indent the line as its neighbours, or put text with `: ` in quotes"
    start = error.context_mark.line + 1 if error.context_mark is not None else line + 1
    if "could not find expected ':'" in problem:
        return start, "is neither a key nor a value: write `key: value`"
    if "quoted scalar" in context and "end of stream" in problem:
        return start, "a quote is not closed"
    if "flow" in context:
        return start, "between { } or [ ] items need commas, and text such as ${NAME} needs quotes"
    return line + 1, f"is not YAML: {problem}" + (f" {context}" if context else "")
