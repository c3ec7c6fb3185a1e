"""What Dagster's processes print reaches the terminal, but for what they say because they were ended."""

from __future__ import annotations

import subprocess
import sys

_STARTS_ANOTHER = """
import signal, subprocess, sys, threading
from reverse_etl.cli.dagster_services import silent_once

ENDING = threading.Event()
OTHER = "import sys, time; print('a warning', file=sys.stderr); print('ready', flush=True); time.sleep(60)"
with silent_once(ENDING):
    other = subprocess.Popen([sys.executable, "-c", OTHER], stdout=subprocess.PIPE)
    other.stdout.readline()
    {end}
    other.send_signal(signal.SIGINT)
    other.wait()
    raise RuntimeError("its own end")
"""


def ended(end: str) -> list[str]:
    """What a process prints that has started another one, and that ends as a defect would end it."""
    program = _STARTS_ANOTHER.format(end=end)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    return done.stderr.splitlines()


def test_nothing_is_printed_by_processes_that_are_to_end() -> None:
    """Neither by those that were interrupted while they started, nor by the one that started them."""
    assert [] == [line for line in ended("ENDING.set()") if line != "a warning"]


def test_everything_is_printed_before() -> None:
    """A warning, the end of one of them by a fault of its own, and the error that ends all."""
    assert {"a warning", "KeyboardInterrupt", "RuntimeError: its own end"} <= set(ended("pass"))
