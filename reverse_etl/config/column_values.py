"""The grammar of ``columns:``: what each column of the destination is made of. How it is made is ``shaping.columns``.

columns:
  id: customer_no
  email: {column: email, then: [trim, lower]}
  full_name: {join: [first_name, last_name], with: " "}
  greeting: {template: "Hello {first_name}"}
  joined_on: {column: created_at, as: date}
  source: {value: shop}
  synced_at: {run: started_at}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from string import Formatter
from typing import Any, Final

from reverse_etl.config.conditions import plain_value
from reverse_etl.config.problems import Path, did_you_mean

SOURCES: Final = ("column", "value", "template", "join", "run")
"""Of which a column's value has exactly one."""

RUN_FACTS: Final = ("started_at", "run_id", "sync")
THEN: Final = ("trim", "lower", "upper", "capitalize", "title", "single_spaces", "digits", "null_if_empty")
TYPES: Final = ("text", "integer", "number", "boolean", "date", "timestamp")
_KEYS: Final = (*SOURCES, "with", "then", "as")


@dataclass(frozen=True, slots=True)
class ColumnValue:
    """What one column of the destination is made of.

    Attributes:
        source: One of ``SOURCES``.
        columns: The columns that it reads, in order; a column of a template as often as it is there.
        texts: Of a template, what stands before, between and after its columns; of ``join``, what comes between them.
        value: A constant; of ``run``, the fact's name.
        then: What is done to the text, one after the other.
        kind: What it becomes; empty for what it is.
        at: Where it is written, under the sync's file.
    """

    source: str
    at: Path
    columns: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    value: str | int | bool | Decimal = ""
    then: tuple[str, ...] = ()
    kind: str = ""

    @property
    def is_the_column(self) -> bool:
        """Whether it is a column of the query as it is."""
        return self.source == "column" and not self.then and not self.kind


def read_columns(written: Any, at: Path = ("columns",)) -> tuple[dict[str, ColumnValue], list[tuple[Path, str]]]:
    """What a mapping spells, by the destination's columns, and what is wrong with it: each a place and a sentence.

    Returns:
        The columns as far as they could be read.
    """
    if not isinstance(written, Mapping) or not written:
        state = "is empty" if written is None or written in ({}, []) else "must be values by column"
        return {}, [(at, f"{state}: write `column: query_column`")]
    found: dict[str, ColumnValue] = {}
    problems: list[tuple[Path, str]] = []
    for name, given in written.items():
        if not isinstance(name, str) or not name.strip():
            problems.append((at, "a column's name must be text: put it in quotes"))
            continue
        here = (*at, name)
        value, wrong = _value(given, here)
        problems += wrong
        if value is not None:
            found[name] = value
    return found, problems


def _value(given: Any, at: Path) -> tuple[ColumnValue | None, list[tuple[Path, str]]]:
    if isinstance(given, str) and given:
        return ColumnValue("column", at, (given,)), []
    if not isinstance(given, Mapping) or not given:
        state = (
            "is empty" if given in (None, "", {}) else "must be a column of the query, or keys such as `{value: ...}`"
        )
        hint = ": name a column of the query, or write `{value: ...}`" if state == "is empty" else ""
        return None, [(at, f"{state}{hint}")]
    problems = [
        ((*at, key) if isinstance(key, str) else at, f"unknown key{did_you_mean(key, _KEYS, otherwise='known are')}")
        for key in given
        if key not in _KEYS
    ]
    sources = [key for key in SOURCES if key in given]
    if len(sources) != 1 and not problems:
        both = f"has {' and '.join(sources)}: keep one of them" if sources else "has no value: add one of"
        problems.append((at, both if sources else f"{both} {', '.join(SOURCES)}"))
    if "with" in given and sources != ["join"]:
        problems.append(((*at, "with"), "goes with join"))
    then, kind = given.get("then", []), given.get("as", "")
    then = [then] if isinstance(then, str) else then
    for word in then if isinstance(then, list) else [None]:
        if word not in THEN:
            problems.append(((*at, "then"), f"must be of {', '.join(THEN)}{did_you_mean(word, THEN)}"))
            break
    if kind not in ("", *TYPES):
        problems.append(((*at, "as"), f"must be {', '.join(TYPES[:-1])} or {TYPES[-1]}{did_you_mean(kind, TYPES)}"))
    if problems:
        return None, problems
    (source,) = sources
    made, problem = _made(source, given[source], given.get("with", " "))
    if made is None:
        return None, [((*at, source), problem)]
    columns, texts, value = made
    return ColumnValue(source, at, columns, texts, value, tuple(then), kind), []


_Made = tuple[tuple[str, ...], tuple[str, ...], str | int | bool | Decimal]


def _made(source: str, given: Any, between: Any) -> tuple[_Made | None, str]:
    """Columns, texts and the constant of a value, or why there are none."""
    if source == "column":
        fits = isinstance(given, str) and given
        return ((given,), (), "") if fits else None, "must be the name of a column"
    if source == "value":
        value = plain_value(given)
        return None if value is None else ((), (), value), "must be a text, a number, true or false"
    if source == "run":
        near = did_you_mean(given, RUN_FACTS)
        return ((), (), given) if given in RUN_FACTS else None, f"must be of {', '.join(RUN_FACTS)}{near}"
    if source == "join":
        if not isinstance(between, str):
            return None, "has no text in with: put it in quotes"
        names = given if isinstance(given, list) else []
        fit = bool(names) and all(isinstance(name, str) and name for name in names)
        return (tuple(names), (between,), "") if fit else None, "must be a list of columns"
    return _template(given)


def _template(given: Any) -> tuple[_Made | None, str]:
    if not isinstance(given, str):
        return None, 'must be text with columns in braces, such as "{first_name} {last_name}"'
    try:
        pieces = list(Formatter().parse(given))
    except ValueError:
        return None, "has a brace without its other: write {{ or }} for one that stands for itself"
    texts, columns = [""], []
    for text, name, spec, conversion in pieces:
        texts[-1] += text
        if name is None:
            continue
        if not name or spec or conversion:
            return None, "has braces without a column's name alone: write {first_name}"
        columns.append(name)
        texts.append("")
    if not columns:
        return None, "names no column in braces: write `{value: ...}` for a constant"
    return (tuple(columns), tuple(texts), ""), ""
