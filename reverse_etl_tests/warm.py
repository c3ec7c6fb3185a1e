"""A process that has imported what commands import, and is forked for each command: seconds less for each.

The workers of a session share one, as its imports take some seconds: pytest's main process listens for them, and
starts it when a worker first asks for a fork. A session without workers has its own.

None of our modules does anything when it is imported, but those of the migrations. What a fresh process imports, and
when, is for tests that start one.
"""

from __future__ import annotations

import atexit
import gc
import io
import multiprocessing
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from pathlib import Path
from threading import Thread
from typing import Final

import reverse_etl as reverse_etl_package

_OURS = Path(reverse_etl_package.__file__).parent
_OTHERS = [
    "alembic.command",
    "anyio._backends._asyncio",
    "dagster",
    "dagster._core.definitions.external_asset",
    "dagster._core.definitions.repository_definition.repository_data_builder",
    "dagster._core.execution.api",
    "dagster._core.execution.plan.active",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.instance.runs.run_domain",
    "dagster._core.secrets.env_file",
    "dagster._core.storage.noop_compute_log_manager",
    "dagster._core.storage.root",
    "dagster._core.system_config.composite_descent",
    "dagster._core.workspace.autodiscovery",
    "dagster._utils.test.definitions",
    "dotenv",
    "duckdb",
    "encodings.utf_8_sig",
    "fsspec.implementations.local",
    "httpcore",
    "httpx",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
    "pydantic",
    "sqlalchemy.dialects.sqlite",
    "sqlglot.dialects.sqlite",
    "sqlglot.lineage",
    "tenacity.asyncio",
    "typer",
    "upath.implementations.local",
]
_CHEAPER = "reverse_etl_tests.dagster_storage"
_NO_COMMAND_IMPORTS: Final = ("reverse_etl.defs.bigquery", "reverse_etl.defs.snowflake")
"""Resources for assets of a user's own: half of the time that all other modules together take."""

_SHARED: Final = ExitStack()
"""What ``share`` has opened."""


def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_preloaded())
    return context


def stop() -> None:
    """Ends the process that is forked, where this one has started it; what it imported counts as covered then."""
    forkserver._forkserver._stop()
    _SHARED.close()


@cache
def share() -> str:
    """The address at which workers can ``join`` one process that is forked for all of them, until ``stop``."""
    folder = _SHARED.enter_context(tempfile.TemporaryDirectory())
    listener, stopped, stop_now = socket.socket(socket.AF_UNIX), *socket.socketpair()
    listener.bind(f"{folder}/forks")
    listener.listen(128)
    starter = Thread(target=_start_when_asked, args=(listener, stopped), name="forks", daemon=True)
    starter.start()
    _SHARED.callback(starter.join)
    _SHARED.callback(stop_now.close)
    return f"{folder}/forks"


def _start_when_asked(listener: socket.socket, stopped: socket.socket) -> None:
    """Starts the process when somebody has connected, and ends it when the other end of `stopped` is closed."""
    with listener, stopped:
        asked, _, _ = select.select([listener, stopped], [], [])
        if stopped in asked:
            return
        passed = (listener.fileno(), stopped.fileno())
        program = f"from multiprocessing.forkserver import main; main(*{passed}, {_preloaded()})"
        subprocess.run([sys.executable, "-c", program], pass_fds=passed, check=True)


def join(address: str) -> None:
    """From here on, this process asks the one at an address for its forks, and starts none."""
    server = forkserver._forkserver
    server._forkserver_address = address
    # Each fork is given it, for forks of its own.
    server._forkserver_alive_fd = os.open(os.devnull, os.O_WRONLY)
    server.ensure_running = resource_tracker.ensure_running


def _preloaded() -> list[str]:
    files = [path.relative_to(_OURS.parent) for path in sorted(_OURS.rglob("*.py"))]
    modules = [path for path in files if "migrations" not in path.parts and not path.stem.startswith("__")]
    ours = [".".join(path.with_suffix("").parts) for path in modules]
    return [*_OTHERS, *(module for module in ours if module not in _NO_COMMAND_IMPORTS), _CHEAPER]


@dataclass(frozen=True, slots=True)
class _Command:
    """What a fork does.

    Attributes:
        arguments: Those of `reverse-etl`, or of the program.
        program: Python's text, instead of `reverse-etl`.
        typed: What is read on stdin.
    """

    arguments: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    program: str = ""
    typed: str = ""


def _main(command: _Command, outputs: tuple[str, str]) -> None:
    """What the entry point `reverse-etl` does, with the fork made to look like a process of its own."""
    # What the process that was forked wants done at its end, coverage's part among it, is for that process alone.
    atexit._clear()
    # What was imported before the fork is no garbage: to look for some there would copy its memory.
    gc.freeze()
    os.setsid()
    os.chdir(command.folder)
    os.environ.clear()
    os.environ.update(command.environment)
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["-c" if command.program else "reverse-etl", *command.arguments]
    sys.stdin = io.StringIO(command.typed)
    from reverse_etl.cli.main import main

    try:
        if command.program:
            exec(command.program, {"__name__": "__main__"})  # noqa: S102 - the test's own
        else:
            main()
    finally:
        # The end of a fork does not run by itself what the command registered.
        atexit._run_exitfuncs()


class Running:
    """A command in progress, a process group of its own, with what is used of ``subprocess.Popen``."""

    def __init__(self, command: _Command) -> None:
        """Starts it."""
        self._scratch = tempfile.mkdtemp()
        self._outputs = (f"{self._scratch}/stdout", f"{self._scratch}/stderr")
        self._process = _forks().Process(target=_main, args=(command, self._outputs))
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Minus the signal that ended it; None until it has ended."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """As ``returncode``."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits until it has ended. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("reverse-etl", timeout or 0.0)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal to it alone."""
        os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits until it has ended; what it wrote to stdout and stderr. Raises subprocess.TimeoutExpired."""
        self.wait(timeout)
        stdout, stderr = (Path(path).read_text(encoding="utf-8") for path in self._outputs)
        shutil.rmtree(self._scratch)
        return stdout, stderr


def started(*arguments: str, folder: Path, environment: Mapping[str, str]) -> Running:
    """The command in a forked process, in progress."""
    return Running(_Command(arguments, str(folder), dict(environment)))


def python(
    program: str, *arguments: str, folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """What `python -c` does with a program that does not ask what is imported. Raises as ``reverse_etl``."""
    return _done(_Command(arguments, str(folder), dict(environment), program), 120)


def reverse_etl(
    *arguments: str, folder: Path, environment: Mapping[str, str], timeout: float, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs the command in a forked process; stdout and stderr are kept apart; `typed` is what it reads on stdin.

    Raises:
        subprocess.TimeoutExpired: it has not ended after `timeout` seconds.
    """
    return _done(_Command(arguments, str(folder), dict(environment), typed=typed), timeout)


def _done(command: _Command, timeout: float) -> subprocess.CompletedProcess[str]:
    process = Running(command)
    try:
        stdout, stderr = process.communicate(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return subprocess.CompletedProcess(command.arguments, process.wait(), stdout, stderr)
