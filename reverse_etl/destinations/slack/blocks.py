"""What Slack takes as the blocks of a message: how many, how long. Source: docs.slack.dev, Block Kit, read 2026-11."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from reverse_etl.destinations.slack.template import Where

MOST: Final = 50
MAX_ID: Final = 255
_MOST_OF: Final = {"fields": ("section", 10), "elements": ("context", 10)}
_MOST_ACTIONS: Final = 25


def problems(blocks: Sequence[Any]) -> Iterator[tuple[Where, str]]:
    """What is wrong with blocks before any row is filled in, by the keys that lead there."""
    if len(blocks) > MOST:
        yield (), f"has {len(blocks)} blocks: Slack takes {MOST} at most"
    for place, block in enumerate(blocks):
        if not isinstance(block, dict):
            continue
        if not isinstance(block.get("type"), str):
            yield (place,), "needs a `type`, such as section"
        for key, (kind, most) in _MOST_OF.items():
            held = block.get(key)
            if block.get("type") == kind and isinstance(held, list) and len(held) > most:
                yield (place, key), f"has {len(held)}: Slack takes {most} at most"
        if block.get("type") == "actions" and len(block.get("elements") or ()) > _MOST_ACTIONS:
            yield (place, "elements"), f"has more than {_MOST_ACTIONS} elements, which is what Slack takes"
        if isinstance(block.get("block_id"), str) and len(block["block_id"]) > MAX_ID:
            yield (place, "block_id"), f"is longer than {MAX_ID} characters"


def longest(blocks: Sequence[Any]) -> Iterator[tuple[Where, str, int]]:
    """The texts of blocks that have a limit: the keys that lead there, the template, and the characters."""
    for place, block in enumerate(blocks):
        kind = block.get("type")
        for key, most in (("text", {"section": 3_000, "header": 150, "markdown": 12_000}.get(kind, 0)),):
            if most and (text := _text(block.get(key))) is not None:
                yield (place, key), text, most
        for key, owner, most in (("fields", "section", 2_000), ("elements", "context", 3_000)):
            for number, held in enumerate(block.get(key) or () if kind == owner else ()):
                if (text := _text(held)) is not None:
                    yield (place, key, number), text, most


def _text(value: Any) -> str | None:
    held = value.get("text") if isinstance(value, dict) else value
    return held if isinstance(held, str) else None
