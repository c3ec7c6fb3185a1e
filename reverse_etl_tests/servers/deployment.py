"""The processes of a deployment, started as the shipped systemd units start them, each in a session of its own."""

from __future__ import annotations

import configparser
import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template

DEPLOY = Path(__file__).parents[2] / "deploy"
INSTALLED = "/opt/reverse-etl"
UNITS = ("reverse-etl-code", "reverse-etl-webserver", "reverse-etl-daemon")
WORKER = "reverse-etl-worker"
"""The unit of a machine that executes runs by Celery."""


def unit(name: str) -> dict[str, list[str]]:
    """The keys of a unit's section `Service`, each with its values in order."""

    class Repeated(dict[str, str]):
        def __setitem__(self, key: str, value: str) -> None:
            known = self.get(key)
            super().__setitem__(key, known + value if isinstance(value, list) and isinstance(known, list) else value)

    parser = configparser.RawConfigParser(strict=False, dict_type=Repeated, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(DEPLOY / "systemd" / f"{name}.service")
    return {key: value.splitlines() for key, value in parser["Service"].items()}


def command(line: str, environment: dict[str, str]) -> list[str]:
    """A line `ExecStart=` or `ExecStartPre=` as a command of this checkout and this Python's environment."""
    here = line.replace(f"{INSTALLED}/.venv/bin/", f"{Path(sys.executable).parent}/")
    here = here.replace(f"{INSTALLED}/deploy/", f"{DEPLOY}/")
    return [Template(word).substitute(environment) for word in shlex.split(here)]


def alive(group: int) -> list[str]:
    """The processes of a group that have not ended; one that was not waited for yet has."""
    shown = subprocess.run(["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    fields = [line.split(maxsplit=2) for line in shown.splitlines()]
    return [" ".join(each) for each in fields if each[0] == str(group) and not each[1].startswith("Z")]


@contextlib.contextmanager
def deployed(folder: Path, environment: dict[str, str]) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Starts every unit's command in a folder and yields the processes by unit; everything is swept afterwards.

    What a process says is in `<folder>/<unit>.log`.
    """
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in UNITS:
            service = unit(name)
            with (folder / f"{name}.log").open("wb") as log:
                for line in service.get("ExecStartPre", []):
                    before = command(line, environment)
                    subprocess.run(before, cwd=folder, env=environment, stdout=log, stderr=log, check=True, timeout=60)
                (line,) = service["ExecStart"]
                running[name] = subprocess.Popen(
                    command(line, environment),
                    cwd=folder,
                    env=environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        yield running
    finally:
        for number, wait_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            for process in running.values():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            for process in running.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(wait_s)
