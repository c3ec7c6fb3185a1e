"""Which files of earlier generations are still needed: all others are removed."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reverse_etl.errors import StateError

if TYPE_CHECKING:
    from reverse_etl.changes.generation import Generations, Made

_KEPT: Final = 1
"""Generations that are kept beside the one that counts."""

_STRANGERS_KEPT_S: Final = 30 * 86_400
"""How long files stay that were counted by a state database that was lost: it may be restored, or asked again."""


def forget_before(generations: Generations, generation: int, *, kept_since: float | None = None) -> None:
    """Removes what nothing needs any more.

    Args:
        generations: The files.
        generation: The one that counts.
        kept_since: Values that were acknowledged since then are kept, Unix seconds; None: no longer than needed.

    Raises:
        StateError: The shared place cannot be reached.
    """
    storage, made = generations.storage, _noted(generations)
    newest = generation - _KEPT
    kept = {
        number: each
        for number, each in made.items()
        if each is not None and (number >= newest or (kept_since is not None and each.read_at >= kept_since))
    }
    needed = {int(number) for each in kept.values() for numbers in each.values.values() for number in numbers}
    for number in made:
        if number >= newest:
            continue
        if number in kept or number in needed:
            _forget_fingerprints(generations, number, made[number])
            continue
        shutil.rmtree(generations.path(number), ignore_errors=True)
        if storage is not None:
            storage.remove(generations.named(number))


def forget_strangers(generations: Generations, generation: int, *, now: float) -> None:
    """Removes what a state database that was lost counted: its numbers are above the one that counts.

    What is not certain stays: files without a note, of a newer release, or not older than those that count.

    Args:
        generations: The files.
        generation: The one that counts.
        now: Unix seconds.

    Raises:
        StateError: The shared place cannot be reached.
    """
    made = _noted(generations)
    current = made.get(generation)
    if current is None:
        return
    oldest = min(now - _STRANGERS_KEPT_S, current.made_at)
    for number, each in made.items():
        if number > generation and each is not None and (each.made_at or each.read_at) < oldest:
            generations.remove_shared(number, each.run_id)
            shutil.rmtree(generations.path(number), ignore_errors=True)


def _noted(generations: Generations) -> dict[int, Made | None]:
    """What is on this machine, by its number, the oldest first: None without a note; not what a newer release wrote."""
    found = {}
    for path in sorted(generations.folder.glob("g*") if generations.folder.exists() else ()):
        with suppress(StateError):
            if path.name[1:].isdecimal():
                found[int(path.name[1:])] = generations.noted(int(path.name[1:]))
    return found


def _forget_fingerprints(generations: Generations, generation: int, made: Made | None) -> None:
    for stream in made.rows if made is not None else ():
        path = generations.stream(generation, stream)
        if path.exists():
            path.unlink()
            if generations.storage is not None:
                generations.storage.remove(generations.named(generation, path.name))
