"""Which words of a message are values of the request that it answers: nothing but words, and the same ones.

Looked for in the request as it was sent, so that no row is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from reverse_etl.destinations.customerio.words import GRAMMAR

_MOST_BLANKS: Final = 40
_BLANKS: Final = re.compile(rb'(?<!\\)"(?:\s|\\[nrt])*\Z')
_AFTER: Final = rb'(?![\w"-]*"\s*:)(?!\w)([^"\\]{0,300})(?:\\[nrt])*"(?!\s*:)'
_OWN: Final = (b'},"action":"', b',{"type":"')
"""What is before the words that every item has, whatever its row."""

Words = Sequence[str]
"""What is shown of a message, in lower case; empty for what is masked."""


def echoes(messages: Iterable[Words], items: Sequence[bytes]) -> frozenset[str]:
    """The words of messages that are values of items, alone or one after the other.

    Args:
        messages: The words of each.
        items: Those of the request, as they were sent: valid JSON.
    """
    by_start: dict[str, list[Words]] = {}
    for words in messages:
        for at, word in enumerate(words):
            following = words[at + 1] if at + 1 < len(words) else ""
            start = word if word not in GRAMMAR else f"{word} {following}" if following else ""
            if start:
                by_start.setdefault(start, []).append(words[at:])
    if not by_start:
        return frozenset()
    request = b",%b" % b",".join(items).lower()
    found: set[str] = set()
    missing: set[str] = set()
    # Words by themselves come first: what begins with one that is nowhere need not be looked for.
    for start, all_words in sorted(by_start.items(), key=lambda each: " " in each[0]):
        if start.rpartition(" ")[2] in missing or start.encode() not in request:
            missing.add(start)
        else:
            for value in _values(start, request):
                found.update(*(value for words in all_words if value == tuple(words[: len(value)])))
    return frozenset(found - GRAMMAR)


def _values(start: str, request: bytes) -> set[tuple[str, ...]]:
    """The words of the values that begin with some."""
    found = set()
    for match in re.finditer(re.escape(start.encode()) + _AFTER, request):
        at = match.start()
        before = request[max(0, at - _MOST_BLANKS) : at]
        if _BLANKS.search(before) and not before.endswith(_OWN):
            rest = match[1].decode(errors="replace")
            found.add(tuple(word.rstrip(".,;:!?") for word in f"{start}{rest}".split()))
    return found
