"""Which files of earlier generations are still needed: all others are removed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reverse_etl.changes.generation import Generations, Made

_KEPT: Final = 1
"""Generations that are kept beside the one that counts."""


def forget_before(generations: Generations, generation: int, *, kept_since: float | None = None) -> None:
    """Removes what nothing needs any more.

    Args:
        generations: The files.
        generation: The one that counts.
        kept_since: Values that were acknowledged since then are kept, Unix seconds; None: no longer than needed.

    Raises:
        StateError: The shared place cannot be reached.
    """
    folder, storage = generations.folder, generations.storage
    numbers = sorted(
        int(path.name[1:]) for path in (folder.glob("g*") if folder.exists() else ()) if path.name[1:].isdecimal()
    )
    made = {number: generations.noted(number) for number in numbers}
    newest = generation - _KEPT
    kept = {
        number: each
        for number, each in made.items()
        if each is not None and (number >= newest or (kept_since is not None and each.read_at >= kept_since))
    }
    needed = {int(number) for each in kept.values() for numbers in each.values.values() for number in numbers}
    for number in numbers:
        if number >= newest:
            continue
        if number in kept or number in needed:
            _forget_fingerprints(generations, number, made[number])
            continue
        shutil.rmtree(generations.path(number), ignore_errors=True)
        if storage is not None:
            storage.remove(generations.named(number))


def _forget_fingerprints(generations: Generations, generation: int, made: Made | None) -> None:
    for stream in made.rows if made is not None else ():
        path = generations.stream(generation, stream)
        if path.exists():
            path.unlink()
            if generations.storage is not None:
                generations.storage.remove(generations.named(generation, path.name))
