"""The journal in the place that all machines share: in pieces, because an object there cannot be written on.

A piece has whole lines of one process, and a line states a fact about rows, true for every reader; so pieces need no
order among processes, and a line that is found twice is one.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reverse_etl.errors import StateError
from reverse_etl.files.private import make_private_folder, whole_file
from reverse_etl.files.storage import in_order
from reverse_etl.ledger.journal import JOURNAL_FILE, whole_lines

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.changeset.shared import SharedFolder

EVERY_S: Final = 1.0
"""Seconds between two pieces: so much, and what a piece takes to get there, is sent twice where a machine is lost."""

PATIENCE_S: Final = 60.0
"""Seconds for which pieces may fail while rows are sent; the last one may not."""


class JournalUpload:
    """What one delivery adds to a shared journal.

    Args:
        shared: The run's folder there.
        stream: Whose rows they are.
        path: The journal on this machine. What it holds when the first line is added is in the shared folder already.
    """

    def __init__(self, shared: SharedFolder, stream: str, path: Path) -> None:
        self._shared = shared
        self._stream = stream
        self._path = path
        self._there_bytes = 0
        self._there_at = self._tried_at = time.monotonic()

    def begin(self, size: int) -> None:
        """So many bytes of the journal are there already."""
        self._there_bytes = size

    def put(self, size: int, *, last: bool = False) -> None:
        """Puts what came to the journal since the last piece there, where it is time to.

        Args:
            size: Bytes of the journal that are whole lines.
            last: Put it now, and do not try again later.

        Raises:
            StateError: It could not be put there, for too long.
        """
        now = time.monotonic()
        if size == self._there_bytes:
            self._there_at = now
            return
        if now - self._tried_at < EVERY_S and not last:
            return
        self._tried_at = now
        with self._path.open("rb") as file:
            file.seek(self._there_bytes)
            lines = file.read(size - self._there_bytes)
        try:
            self._shared.add_to_journal(self._stream, lines, in_order())
        except StateError:
            if last or now - self._there_at > PATIENCE_S:
                raise
        else:
            self._there_bytes, self._there_at = size, now


def merge(folder: RunFolder) -> None:
    """Makes the journals of a run's folder on this machine and of its shared side one, on both sides.

    Args:
        folder: The run's folder, which this process alone works on.

    Raises:
        StateError: The place cannot be reached, or the folder not be written.
    """
    if folder.shared is None:
        return
    for stream in folder.sent():
        path = folder.path / stream / JOURNAL_FILE
        there = whole_lines(folder.shared.journal(stream))
        here = whole_lines(path.read_bytes() if path.exists() else b"")
        known = set(there)
        only_here = [line for line in here if line not in known]
        if only_here:
            folder.shared.add_to_journal(stream, b"".join(only_here), in_order())
        merged = [*dict.fromkeys(there), *only_here]
        if merged != here:
            make_private_folder(path.parent)
            with whole_file(path) as file:
                file.writelines(merged)
