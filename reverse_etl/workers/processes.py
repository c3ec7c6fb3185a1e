"""Which process this is, and whether another one of this machine still lives."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_ENDED: Final = ("Z", "X")
"""States of a process that has ended, before its parent asked for its end. Source: man 5 proc, read 2025-11."""


@cache
def this_machine() -> str:
    """What distinguishes the places where process numbers mean different processes.

    On Linux the boot and the PID namespace, since containers may share a host name; elsewhere the host name.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return socket.gethostname()


def lives(pid: int) -> bool:
    """Whether a process of this machine lives; one that waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # The state is the first field after the name, which is in brackets and may hold any.
        state = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return not (_PROC / "self").exists()
    return state not in _ENDED
