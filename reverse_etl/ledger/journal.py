"""What became of rows, recorded as soon as it is known: one line a settled request, never changed afterwards.

    <crc32, 8 hex digits> {"outcome":1,"rows":[[1,2300]],"keys":123456789,"cause":null}

Where the rows of a request failed or were left out for different causes, ``causes`` has these, and ``which`` the
place of each row's.

A line is handed to the operating system at once, so the end of the process loses none, and to the disk within a
second (``sync``). A last line that is torn is no line. ``ledger`` draws the conclusions.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zlib import crc32

import numpy as np
import orjson

from reverse_etl.files.private import make_private_folder, open_private
from reverse_etl.report import Cause, Outcome, Reason

if TYPE_CHECKING:
    from reverse_etl.ledger.journal_upload import JournalUpload

JOURNAL_FILE: Final = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """Rows with one outcome.

    Attributes:
        outcome: Theirs; never ``UNDELIVERED``.
        ranges: First and last row number of each run of rows, ascending.
        keys: Sum of the rows' keys (``changeset.row_keys``).
        causes: Why the rows failed or were left out; empty for rows that were delivered.
        which: For each row, by row number, the place of its cause in ``causes``; empty where there is one.
    """

    outcome: Outcome
    ranges: tuple[tuple[int, int], ...]
    keys: int
    causes: tuple[Cause, ...] = ()
    which: tuple[int, ...] = ()

    def places(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The rows' numbers - 1."""
        return np.concatenate([np.arange(first - 1, last, dtype=np.int64) for first, last in self.ranges])


def ranges(numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Row numbers as runs of consecutive ones; any order, empty for none."""
    if not numbers:
        return ()
    ordered = np.sort(np.array(numbers, dtype=np.int64))
    gaps = np.flatnonzero(np.diff(ordered) != 1)
    firsts = ordered[np.concatenate(([0], gaps + 1))].tolist()
    lasts = ordered[np.concatenate((gaps, [len(ordered) - 1]))].tolist()
    return tuple(zip(firsts, lasts, strict=True))


class Journal:
    """The journal of one query's rows.

    Args:
        path: Its file; made, readable by its owner alone, with the first entry.
        pieces: Where other machines find what is written down; None where no other machine looks for it.
    """

    def __init__(self, path: Path, upload: JournalUpload | None = None) -> None:
        self._path = path
        self._upload = upload
        self._file: int | None = None
        self._whole_bytes = 0
        self._unsynced = False

    def entries(self) -> Iterator[Entry]:
        """Everything written down so far, oldest first, up to the first line that is not whole."""
        self._whole_bytes = 0
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for line in file:
                entry = _entry(line)
                if entry is None:
                    return
                self._whole_bytes += len(line)
                yield entry

    def share(self, *, last: bool = False) -> None:
        """Lets other machines find what was written down since the last time. Raises StateError.

        Args:
            last: At once, and for the last time.
        """
        if self._upload is not None:
            self._upload.put(self._whole_bytes, last=last)

    def append(self, entry: Entry) -> None:
        """Writes an entry down, after those that ``entries`` gave. Raises OSError where that fails."""
        file = self._open() if self._file is None else self._file
        fields: dict[str, object] = {"outcome": int(entry.outcome), "rows": entry.ranges, "keys": entry.keys}
        causes = [(cause.stage, *cause.why) for cause in entry.causes]
        fields["cause"] = causes[0] if causes else None
        if entry.which:
            fields |= {"causes": causes, "which": entry.which}
        text = orjson.dumps(fields)
        line = b"%08x %b\n" % (crc32(text), text)
        written = os.write(file, line)
        if written < len(line):
            # The disk is full: what was torn is taken back, so that a later line is not torn with it.
            os.ftruncate(file, self._whole_bytes)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._whole_bytes += len(line)
        self._unsynced = True

    def sync(self) -> None:
        """Makes what was written survive the machine's end. Raises OSError where that fails."""
        if self._file is not None and self._unsynced:
            self._unsynced = False
            os.fsync(self._file)

    def close(self) -> None:
        """Syncs, and writes no more. Raises OSError where that fails; it is closed all the same."""
        try:
            self.sync()
        finally:
            if self._file is not None:
                os.close(self._file)
            self._file = None

    def _open(self) -> int:
        make_private_folder(self._path.parent)
        self._file = open_private(self._path, os.O_WRONLY | os.O_APPEND)
        os.ftruncate(self._file, self._whole_bytes)
        if self._upload is not None:
            self._upload.begin(self._whole_bytes)
        return self._file


def whole_lines(journal: bytes) -> list[bytes]:
    """The whole lines of a journal, each with its end."""
    return [line for line in journal.splitlines(keepends=True) if _entry(line) is not None]


def _entry(line: bytes) -> Entry | None:
    text = line[9:-1]
    if not line.endswith(b"\n") or line[:9] != b"%08x " % crc32(text):
        return None
    fields = orjson.loads(text)
    causes = fields.get("causes") or ([fields["cause"]] if fields["cause"] else [])
    return Entry(
        Outcome(fields["outcome"]),
        tuple((first, last) for first, last in fields["rows"]),
        fields["keys"],
        tuple(Cause(stage, Reason(*why)) for stage, *why in causes),
        tuple(fields.get("which", ())),
    )
