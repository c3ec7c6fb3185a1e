"""Which blocks a message may have. Documented: the types, the sizes; seen with clients: 13,200 characters in all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

MAX_BLOCKS: Final = 50
MAX_CHARACTERS: Final = 13_200
_KINDS: Final = frozenset(
    "section divider header context actions image rich_text input markdown file video table".split()  # noqa: SIM905
)
_MAX_BLOCK_ID: Final = 255
_TEXT_TYPES: Final = ("mrkdwn", "plain_text")


def error_of(blocks: Any) -> str | None:
    """The error that Slack answers to these blocks; None to those it takes."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        return "invalid_blocks_format"
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(blocks) > MAX_BLOCKS or len(ids) != len(set(map(str, ids))) or not all(map(_is_right, blocks)):
        return "invalid_blocks"
    return "msg_blocks_too_long" if sum(map(len, _texts(blocks))) > MAX_CHARACTERS else None


def _is_right(block: dict[str, Any]) -> bool:
    kind, block_id = block.get("type"), block.get("block_id", "")
    if kind not in _KINDS or not isinstance(block_id, str) or len(block_id) > _MAX_BLOCK_ID:
        return False
    if kind == "section":
        text, fields = block.get("text"), block.get("fields")
        if text is None and not fields:
            return False
        if fields is not None and not (isinstance(fields, list) and len(fields) <= 10):
            return False
        return (text is None or _is_text(text, 3000)) and all(_is_text(each, 2000) for each in fields or ())
    if kind == "header":
        return _is_text(block.get("text"), 150, types=("plain_text",))
    if kind == "context":
        return _has(block, 10) and all(map(_is_context, block["elements"]))
    if kind == "actions":
        return _has(block, 25)
    if kind == "image":
        image = block.get("image_url") or block.get("slack_file")
        return bool(image) and isinstance(block.get("alt_text"), str) and len(block["alt_text"]) <= 2000
    if kind == "rich_text":
        return isinstance(block.get("elements"), list)
    if kind == "markdown":
        return isinstance(block.get("text"), str) and 0 < len(block["text"]) <= 12_000
    return True


def _has(block: dict[str, Any], most: int) -> bool:
    elements = block.get("elements")
    return isinstance(elements, list) and 0 < len(elements) <= most


def _is_context(element: Any) -> bool:
    if isinstance(element, dict) and element.get("type") == "image":
        return isinstance(element.get("alt_text"), str)
    return _is_text(element, 3000)


def _is_text(text: Any, longest: int, types: tuple[str, ...] = _TEXT_TYPES) -> bool:
    return (
        isinstance(text, dict)
        and text.get("type") in types
        and isinstance(text.get("text"), str)
        and 0 < len(text["text"]) <= longest
    )


def _texts(value: Any) -> Iterator[str]:
    """Every text that is shown."""
    if isinstance(value, dict):
        for name, held in value.items():
            if name == "text" and isinstance(held, str):
                yield held
            else:
                yield from _texts(held)
    elif isinstance(value, list):
        for held in value:
            yield from _texts(held)
