"""Threads of a run share the C library's heaps, unless the user said how many there are."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import ctypes, threading
from reverse_etl.cli.shared_heaps import share_heaps
share_heaps()
together = threading.Barrier(6)
def work():
    held = bytes(100_000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(6)]
for each in threads: each.start()
for each in threads: each.join()
ctypes.CDLL(None).malloc_stats()
"""


def heaps(environment: dict[str, str]) -> int:
    """How many heaps the C library of a process with six threads reports."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return done.stderr.count("Arena ")


def test_six_threads_share_two_heaps() -> None:
    """With one for each thread there would be seven."""
    assert 2 == heaps({})


def test_what_the_user_chose_stays() -> None:
    """The C library reads the variable itself."""
    assert 4 == heaps({"MALLOC_ARENA_MAX": "4"})
