"""Masking with a regular expression for each value, one after the other: slow, and what the real one must equal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from reverse_etl.destinations.customerio.masking import shortened

MASK = "…"
OWN_REASONS = {"invalid", "parse", "required", "suppressed", "too_large"}


class Number(str):
    """A JSON number as it is written."""


NUMBERS: dict[str, Any] = {"parse_int": Number, "parse_float": Number}


def masked_refusal(texts: tuple[str, str, str], item: bytes) -> tuple[str, str, str]:
    """Reason, field and message without the values of the item."""
    reason, field, message = texts
    parsed = json.loads(item, **NUMBERS)
    spelled = {each for value in values(parsed) for each in spellings(value)}
    ordered = sorted(spelled, key=lambda one: (-len(one[0]), one[0].lower(), not one[1]))
    return (
        shortened(reason if reason in OWN_REASONS else whole_or_parts(reason, ordered), 60),
        shortened(field if field in set(names(parsed)) else whole_or_parts(field, ordered), 200),
        shortened(without(message, ordered)),
    )


def spellings(value: str) -> Iterator[tuple[str, bool]]:
    """A value as it may be written, and whether it is masked without quotes too."""
    if isinstance(value, Number):
        yield str(value), len(value) >= 5
    else:
        for text in (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
            yield text, len(text) >= 4


def whole_or_parts(text: str, spelled: list[tuple[str, bool]]) -> str:
    """A text that is nothing but a value is masked however short it is."""
    whole = text.strip()
    if whole and any(re.fullmatch(re.escape(value), whole, re.IGNORECASE) for value, _ in spelled):
        return MASK
    return without(text, spelled)


def without(text: str, spelled: list[tuple[str, bool]]) -> str:
    """A text without values in quotes and, where they are long enough, without those that are words."""
    for value, always in spelled:
        bare = re.escape(value)
        quoted = rf"""(?<=["'`]){bare}(?=["'`])"""
        text = re.sub(rf"{quoted}|(?<!\w){bare}(?!\w)" if always else quoted, MASK, text, flags=re.IGNORECASE)
    return text


def values(item: Any) -> Iterator[str]:
    """Every value of an operation that comes from the row; the names inside a JSON value are part of it."""
    if isinstance(item, dict):
        for name, value in item.items():
            if name in ("attributes", "relationship_attributes") and isinstance(value, dict):
                for attribute in value.values():
                    yield from inside(attribute)
            elif name not in ("type", "action"):
                yield from values(value)
    elif isinstance(item, list):
        for value in item:
            yield from values(value)
    elif isinstance(item, str) and item:
        yield item


def inside(value: Any) -> Iterator[str]:
    """Everything in what a row has."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name:
                yield name
            yield from inside(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from inside(inner)
    elif isinstance(value, str) and value:
        yield value


def names(item: Any) -> Iterator[str]:
    """Names that are no row's: the API's own, and those of columns."""
    if isinstance(item, dict):
        for name, value in item.items():
            yield name
            if name not in ("attributes", "relationship_attributes"):
                yield from names(value)
            elif isinstance(value, dict):
                yield from value
                yield from (f"{name}.{column}" for column in value)
    elif isinstance(item, list):
        for value in item:
            yield from names(value)
