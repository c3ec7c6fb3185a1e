"""Sentences one after the other, as the message of a run has them."""

from __future__ import annotations


def joined(*sentences: str) -> str:
    """Those that are not empty, as one text.

    A sentence may end with a command to copy, which has no full stop: it gets one where another sentence follows.
    """
    found = [each for each in sentences if each]
    return " ".join([*(each if each.endswith((".", "?")) else f"{each}." for each in found[:-1]), *found[-1:]])
