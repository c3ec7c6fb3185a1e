"""Celery workers as the shipped unit starts them, each a machine: a home folder, and a PID namespace of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from reverse_etl_tests.servers.deployment import DEPLOY, WORKER, command, unit
from reverse_etl_tests.servers.sandbox import wait_until

APART = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
"""Starts a command in a PID namespace of its own, which ends with it."""


@dataclass(slots=True)
class Worker:
    """A machine that takes one run at a time.

    Attributes:
        home: Its home folder.
        log: What its processes print.
    """

    process: subprocess.Popen[bytes]
    home: Path
    log: Path

    def took(self, run_id: str) -> bool:
        """Whether a run was executed here: its changeset is."""
        return any(run_id in path.name for path in self.home.glob("changesets/*/*"))

    def lose(self) -> None:
        """The machine goes down, with every process of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait(10)


@contextlib.contextmanager
def worker(name: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Worker]:
    """Starts one in a folder; yields it once it takes runs."""
    home = folder / name
    home.mkdir()
    service = unit(WORKER)
    line = service["ExecStart"][0].replace("%H", name).replace("--loglevel warning", "--loglevel info")
    words = command(line, {**environment, "REVERSE_ETL_PLACES": "1"})
    log = home / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*(APART if alone() else ()), *words],
            cwd=folder,
            env={**environment, "REVERSE_ETL_HOME": str(home), "PYTHONPATH": str(DEPLOY / "celery")},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    started = Worker(process, home, log)
    try:
        wait_until(lambda: b" ready." in log.read_bytes() or process.poll() is not None, timeout_s=120, every_s=0.1)
        assert process.poll() is None, log.read_text()[-2000:]
        yield started
    finally:
        started.lose()


@cache
def alone() -> bool:
    """Whether a machine can be told apart by its PID namespace, as containers are."""
    if shutil.which(APART[0]) is None or os.getuid() != 0:
        return False
    return subprocess.run([*APART, "true"], capture_output=True, check=False).returncode == 0
