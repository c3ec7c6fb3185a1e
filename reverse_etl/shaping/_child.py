"""What a process that calls a user's function has: its pipe, how far it is, and limits. Imports nothing of ours.

Numbers are 8 bytes, little-endian. A message is its length and its bytes.
"""

from __future__ import annotations

import mmap
import os
import resource
import signal
import sys
from typing import Any, BinaryIO, Final

LENGTH: Final = 8

MEMORY_BYTES: Final = 1024 * 1024 * 1024
"""What a function may take beyond what its process has when it starts."""


class Pipe:
    """Messages from and to the run."""

    def __init__(self) -> None:
        # Ctrl-C is for the run, which ends this process.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._in: BinaryIO = os.fdopen(os.dup(0), "rb")
        self._out: BinaryIO = os.fdopen(os.dup(1), "wb")
        # What a function prints goes nowhere, and what it reads is empty.
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)

    def read(self) -> bytes | None:
        """The next message; None when there will be none."""
        head = self._in.read(LENGTH)
        return self._in.read(int.from_bytes(head, "little")) if len(head) == LENGTH else None

    def write(self, *messages: bytes) -> None:
        """Sends messages."""
        for message in messages:
            self._out.write(len(message).to_bytes(LENGTH, "little"))
            self._out.write(message)
        self._out.flush()


def progress(number: int) -> Any:
    """Two integers that the run sees change: the row that is worked on, and how many rows are worked on at once."""
    return memoryview(mmap.mmap(number, 2 * LENGTH)).cast("q")


def limit_memory() -> None:
    """Memory, and files that are written: beyond it, there is an exception, or the process ends."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:  # noqa: PTH123 - pathlib costs as much as all else here
            data = int(file.read().split()[5]) * mmap.PAGESIZE
        # What can be written to; not the address space, of which allocators reserve more than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (data + MEMORY_BYTES, data + MEMORY_BYTES))
