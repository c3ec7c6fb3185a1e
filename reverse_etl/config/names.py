"""How names are spelled: attributes in snake_case, events as what happened, times as ``…_at``."""

from __future__ import annotations

import re
from typing import Final

_SNAKE_CASE: Final = re.compile(r"_?[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
"""Dots are for ``cio_subscription_preferences.topics.topic_7``."""

_IRREGULAR: Final = re.compile(
    "began|bought|broke|built|came|chose|cut|did|drew|felt|found|gave|given|gone|got|grew|had|heard|held|"
    "hit|kept|knew|left|lent|lost|made|met|paid|put|quit|ran|read|reset|rose|said|sat|saw|seen|sent|set|"
    "shown|shut|sold|sought|spent|split|stood|taken|thought|told|took|undone|unsent|went|won|woke|wrote|"
    "written"
)
"""Past tenses and participles that do not end in ``ed``."""


def is_snake_case(name: str) -> bool:
    """Whether a name has small letters, digits and underscores, and begins with a letter."""
    return _SNAKE_CASE.fullmatch(name) is not None


def is_past_event(name: str) -> bool:
    """Whether an event's name says what happened to what: ``order_placed``, ``viewed_product``."""
    words = name.split("_")
    return is_snake_case(name) and len(words) > 1 and any(_is_past(word) for word in words)


def time_name(name: str) -> str:
    """What a time would be called, for one whose name does not end in ``_at``; empty where it does."""
    if name.endswith("_at"):
        return ""
    stem = re.sub(r"_(?:on|time|date|datetime|timestamp|ts|when)$", "", name)
    return f"{stem}_at"


def _is_past(word: str) -> bool:
    return word.endswith("ed") or _IRREGULAR.fullmatch(word) is not None
