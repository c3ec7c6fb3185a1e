"""A terminal for a command: it believes that a person looks on, and what it draws can be read while it runs."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from pathlib import Path

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CTRL_C = "\x03"


class Terminal:
    """A command with a terminal as its stdin and stderr, and as its stdout unless a file is given.

    Attributes:
        raw: All that it has drawn so far, escape sequences included.
        process: The command.
    """

    def __init__(self, command: list[str], *, folder: Path, environment: Mapping[str, str], columns: int = 80) -> None:
        self._own, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.raw = ""
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={"TERM": "xterm-256color", **{k: v for k, v in environment.items() if k not in ("COLUMNS", "LINES")}},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            # The first terminal that the leader of a session opens becomes the session's: Ctrl-C reaches it.
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
        )
        os.close(theirs)

    @property
    def text(self) -> str:
        """All that it has drawn so far, without escape sequences; what was drawn over is still there."""
        return _ESCAPES.sub("", self.raw)

    def wait_for(self, pattern: str, *, timeout_s: float = 60) -> re.Match[str]:
        """Reads until the text has a regular expression; fails when the command ends before it has."""
        deadline = time.monotonic() + timeout_s
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < deadline, f"no {pattern} within {timeout_s} s:\n{self.text}"
            assert self._read(deadline), f"the command ended without {pattern}:\n{self.text}"
        return found

    def type(self, keys: str) -> None:
        """Presses keys."""
        os.write(self._own, keys.encode())

    def end(self, *, timeout_s: float = 60) -> int:
        """Reads to the end and returns the exit code."""
        deadline = time.monotonic() + timeout_s
        while self._read(deadline):
            pass
        os.close(self._own)
        return self.process.wait(max(0.0, deadline - time.monotonic()))

    def _read(self, deadline: float) -> bool:
        """Takes in what has been drawn; False once nothing more can come."""
        ready, _, _ = select.select([self._own], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing more was drawn:\n{self.text}"
        try:
            drawn = os.read(self._own, 65_536)
        except OSError:  # Linux raises it when no process has the terminal open any more
            return False
        self.raw += drawn.decode(errors="replace")
        return bool(drawn)
