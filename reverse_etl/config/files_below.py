"""What lies in the folder of the syncs: one walk for who reads the files and for who looks whether they changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> Iterator[tuple[str, os.stat_result | OSError]]:
    """Every visible file and folder below a folder; symbolic links are followed, and each folder is entered once.

    Yields:
        Its path with what the system says of it, or why it says nothing. A folder that cannot be listed comes a
        second time, with the reason: what lies in it is not known.
    """
    entered = set[str]()
    places = [str(folder)]
    while places:
        place = places.pop()
        real = os.path.realpath(place)
        if real in entered:
            continue
        entered.add(real)
        try:
            with os.scandir(place) as listed:
                entries = sorted((each for each in listed if each.name[0] != "."), key=lambda each: each.name)
        except OSError as error:
            yield place, error
            continue
        # The last is entered first.
        for entry in reversed(entries):
            try:
                found = entry.stat()
                if entry.is_dir():
                    places.append(entry.path)
            except OSError as error:
                yield entry.path, error
            else:
                yield entry.path, found
