"""Programs that end with the tests: the kernel ends them with the thread that started them, so that one stays."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO, Any, Final

_STARTER: Final = ThreadPoolExecutor(1)


def started(command: list[Any], *, output: IO[bytes], folder: Any) -> subprocess.Popen[bytes]:
    """A program in a folder; what it writes goes to a file."""
    start = partial(subprocess.Popen, command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
    return _STARTER.submit(start).result()
