"""HTML from Python: every text is escaped, and only what was made here is markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final

_VOID: Final = frozenset({"input", "link", "meta", "br"})
_MISLEADING: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but line ends, and those that turn the direction of the text after them."""

Child = str | int | None | Iterable["Child"]
"""What may lie in an element: a text, markup, nothing, or several of these."""


class Html(str):
    """A text that is markup already."""

    __slots__ = ()


def shown(text: object) -> str:
    """A text as a page may show it: what would hide or reorder other text is a dot."""
    return _MISLEADING.sub("·", str(text))


def html(*children: Child) -> Html:
    """Children one after the other; all that is no markup is escaped."""
    return Html("".join(_parts(children)))


def element(name: str, /, *children: Child, **attributes: str | int | bool | None) -> Html:
    """One element.

    Args:
        name: Its name.
        children: What lies in it.
        attributes: By name; an underscore stands for a hyphen, and one at the end for nothing (``class_``). True is an
            attribute without a value; False, None and an empty class are left out.
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    return Html(f"<{name}{given}>" if name in _VOID else f"<{name}{given}>{html(*children)}</{name}>")


def _attribute(key: str, value: str | int | bool | None) -> str:
    if value is None or value is False or (key == "class_" and not value):
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(shown(value))}"'


def _parts(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Html):
            yield child
        elif isinstance(child, str | int):
            yield escape(shown(child))
        elif child is not None:
            yield from _parts(child)
