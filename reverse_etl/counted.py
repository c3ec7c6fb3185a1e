"""Counts in sentences."""

from __future__ import annotations


def counted(count: int, one: str, several: str = "") -> str:
    """A count with what it counts: ``1 row``, ``1,234 rows``, ``0 rows``.

    Args:
        count: How many; not negative.
        one: What follows a 1.
        several: What follows any other number; with an ``s`` at the end of ``one`` where it is not given.
    """
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"
