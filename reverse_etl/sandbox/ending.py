"""A server of stand-ins ends with the process that started it, however that ended, unless it is handed over.

The sign is a pipe: that process holds the writing end, and the system closes it with whoever has it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

HANDED_OVER: Final = b"1"
"""What is written into the pipe so that its end means nothing any more."""


def end_after(pipe: int, end: Callable[[], None]) -> None:
    """Waits until a pipe's writers are gone, then calls ``end``; returns at once where the server is handed over."""
    if not os.read(pipe, len(HANDED_OVER)):
        end()
