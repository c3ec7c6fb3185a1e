"""Peak memory as the kernel counts it for one process (VmHWM).

``ru_maxrss`` is not it: a process starts with that of the one that started it, so that a small process of a large
parent seems large.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_STATUS = "next(int(line.split()[1]) / 1024 for line in open('/proc/self/status') if line.startswith('VmHWM'))"


def peak_mb() -> float:
    """This process's, up to now."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def bare_mb() -> float:
    """A Python process's that imports nothing."""
    done = subprocess.run([sys.executable, "-c", f"print({_STATUS})"], capture_output=True, text=True, check=True)
    return float(done.stdout)
