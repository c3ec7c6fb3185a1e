"""A program in a process of its own: what it printed, and what it took as the system counted it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

TIMEOUT_S: Final = 900.0


class ChildError(RuntimeError):
    """It ended with an error, or not at all; the message is its own last line."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What one took.

    Attributes:
        wall_s: From its start to its end.
        cpu_s: Of its own and of its ended children's, user and system.
        peak_mb: Resident, of the larger of both. Not less than this process's own at the start.
        printed: Its standard output, where that is JSON.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    printed: dict[str, Any]


def ran(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], given: bytes = b"", json_out: bool = True
) -> Ran:
    """Runs it to its end.

    Raises:
        ChildError: It ended with an error, took longer than ``TIMEOUT_S``, or printed no JSON.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as into:
        into.write(given)
        into.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdin=into, stdout=out, stderr=err)
        late = threading.Timer(TIMEOUT_S, os.kill, (process.pid, signal.SIGKILL))
        late.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            late.cancel()
            if process.returncode is None:
                process.kill()
        wall_s = time.perf_counter() - began
        out.seek(0)
        err.seek(0)
        printed, said = out.read().decode(errors="replace"), err.read().decode(errors="replace").strip()
    if process.returncode:
        took_long = wall_s >= TIMEOUT_S
        reason = f"not done after {TIMEOUT_S:.0f} s" if took_long else _last_line(said) or _last_line(printed)
        raise ChildError(f"exit code {process.returncode}: {reason or 'no reason given'}")
    try:
        found = json.loads(printed if printed.startswith("{\n") else printed.splitlines()[-1]) if json_out else {}
    except (ValueError, IndexError):
        raise ChildError("it printed no JSON") from None
    return Ran(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, found)


def _last_line(text: str) -> str:
    return text.splitlines()[-1][:300] if text else ""


def end_in_order() -> None:
    """Has SIGTERM and SIGINT end this process by an exception, also in the background, so that servers are stopped."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def busy_share(for_s: float = 0.5) -> float:
    """How much of all processors is in use by others, 0 to 1, while this process waits."""
    before = _jiffies()
    time.sleep(for_s)
    busy, everything = (now - then for now, then in zip(_jiffies(), before, strict=True))
    return busy / everything if everything else 0.0


def _jiffies() -> tuple[int, int]:
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)
