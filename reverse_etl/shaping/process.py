"""The process in which a user's function runs: started, watched, ended. What goes over its pipe is ``transform``'s.

The function of a row that hangs, or ends its process, is found by the two integers in memory that both share: which row
is worked on, and how many at once.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reverse_etl.errors import ConfigError

ROW_S: Final = 8.0
"""How long the function may take for a row before it is interrupted; what cannot be interrupted is ended after ..."""
GONE_S: Final = 10.0
"""... this long."""

_START_S: Final = 60.0
_LENGTH: Final = 8
_LOOK_S: Final = 0.25
_PIECE: Final = 1 << 20

_MEMORY: Final = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"}
"""So that memory is taken as it is needed, and the limit means what it says."""

_CHILDREN: Final = {"python": "_python_child", "javascript": "_javascript_child"}
_SCRIPT: Final = "import sys; sys.path.append(sys.argv.pop()); from reverse_etl.shaping.{} import main; main()"


class GoneError(Exception):
    """The process ended, or had to be ended, while it worked on some rows.

    Attributes:
        first: The first of them, from 0 in what it was given.
        rows: How many.
        hung: Whether it was ended.
    """

    def __init__(self, first: int, rows: int, *, hung: bool) -> None:
        super().__init__()
        self.first, self.rows, self.hung = first, rows, hung


@dataclass(slots=True)
class Child:
    """One process at a time; the next is started when it is needed.

    Attributes:
        language: ``python`` or ``javascript``.
        settings: What the process is given first.
        row_s: How long the function may take for a row, in seconds.
        gone_s: After how long the process is ended.
    """

    language: str
    settings: dict[str, Any]
    row_s: float = ROW_S
    gone_s: float = GONE_S
    _process: subprocess.Popen[bytes] | None = None
    _progress: Any = field(default=None)

    @property
    def process_id(self) -> int:
        """Of the process; 0 where there is none."""
        return self._process.pid if self._process is not None else 0

    def call(self, message: bytes, *, answers: int) -> list[bytes]:
        """What the process answers.

        Args:
            message: What it is given.
            answers: How many messages it answers with.

        Raises:
            GoneError: It ended, or had to be ended.
            ConfigError: The function cannot be had.
        """
        process = self._process or self._start()
        try:
            self._write(process, message)
            return [self._read(process) for _ in range(answers)]
        except (BrokenPipeError, EOFError, TimeoutError) as error:
            first, rows = self._progress
            self.close()
            raise GoneError(first, rows, hung=isinstance(error, TimeoutError)) from None

    def close(self) -> None:
        """Ends the process."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        with tempfile.TemporaryFile() as file:
            file.truncate(2 * _LENGTH)
            self._progress = memoryview(mmap.mmap(file.fileno(), 2 * _LENGTH)).cast("q")
            process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-c", _SCRIPT.format(_CHILDREN[self.language]), str(file.fileno()), _ROOT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(file.fileno(),),
                cwd="/",
                env={"LANG": "C.UTF-8", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1", **_MEMORY},
            )
        self._process = process
        try:
            self._write(process, json.dumps({**self.settings, "row_s": self.row_s}).encode())
            refused = self._read(process, _START_S)
        except (BrokenPipeError, EOFError, TimeoutError):
            self.close()
            message = f"{self.settings['file']}: its process ended, or did not start within {_START_S:g} s."
            raise ConfigError(
                message, hint="Do less when the file is read; check the memory of this machine."
            ) from None
        if refused:
            self.close()
            name, line = json.loads(refused)
            raise ConfigError(
                f"{self.settings['file']}:{line}: reading the file raised {name}.",
                hint="It has no environment, and imports only what is installed beside reverse-etl.",
            )
        return process

    def _write(self, process: subprocess.Popen[bytes], message: bytes) -> None:
        assert process.stdin is not None  # noqa: S101 - for mypy
        process.stdin.write(len(message).to_bytes(_LENGTH, "little"))
        process.stdin.write(message)
        process.stdin.flush()

    def _read(self, process: subprocess.Popen[bytes], patience_s: float | None = None) -> bytes:
        length = int.from_bytes(self._some(process, _LENGTH, patience_s), "little")
        return self._some(process, length, patience_s)

    def _some(self, process: subprocess.Popen[bytes], size: int, patience_s: float | None) -> bytes:
        """This number of bytes. Raises EOFError, TimeoutError: nothing came, and no row was done, for so long."""
        assert process.stdout is not None  # noqa: S101 - for mypy
        number, found = process.stdout.fileno(), bytearray()
        seen, since = tuple(self._progress), time.monotonic()
        while len(found) < size:
            if select.select([number], [], [], _LOOK_S)[0]:
                piece = os.read(number, min(_PIECE, size - len(found)))
                if not piece:
                    raise EOFError
                found += piece
                since = time.monotonic()
            elif (now := tuple(self._progress)) != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > (patience_s or self.gone_s):
                raise TimeoutError
        return bytes(found)


_ROOT: Final = str(Path(__file__).resolve().parents[2])
