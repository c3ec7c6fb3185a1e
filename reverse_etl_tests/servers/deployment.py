"""The processes of a deployment, started as the shipped systemd units start them, each in a session of its own."""

from __future__ import annotations

import configparser
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Template

DEPLOY = Path(__file__).parents[2] / "deploy"
INSTALLED = "/opt/reverse-etl"
UNITS = ("reverse-etl-code", "reverse-etl-webserver", "reverse-etl-daemon")
WORKER = "reverse-etl-worker"
"""The unit of a machine that executes runs by Celery."""
METRICS = "reverse-etl-metrics"
"""The unit that Prometheus asks."""
SYNCS_PAGE = "reverse-etl-syncs-page"
"""The unit of the Syncs page."""


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


CONFINED = """
set -e
mount --make-rprivate /
mount -o remount,bind,ro /
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount --bind "$2" "$2"
mount -o remount,bind,rw "$2"
shift 2
exec setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs "$@"
"""
"""Executes a command that can write nowhere in a folder but in one of it, nor on the root's disk, and has no rights."""


@cache
def confines() -> bool:
    """Whether this machine lets a process be confined as containers are: as root on Linux, with namespaces."""
    if os.getuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        tried = ["unshare", "--mount", "sh", "-c", CONFINED, "sh", folder, folder, "true"]
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def confined(words: list[str], folder: Path, writable: Path) -> list[str]:
    """A command as a container of Compose executes it, as far as this machine allows."""
    return (
        ["unshare", "--mount", "sh", "-c", CONFINED, "sh", str(folder), str(writable), *words] if confines() else words
    )


@contextlib.contextmanager
def deployed(folder: Path, environment: dict[str, str]) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Starts every unit's command in a folder and yields the processes by unit; everything is swept afterwards.

    What a process says is in `<folder>/<unit>.log`. The daemon writes in Dagster's folder alone, the others in the home
    folder.
    """
    running: dict[str, subprocess.Popen[bytes]] = {}
    home, dagster = Path(environment["REVERSE_ETL_HOME"]), Path(environment["DAGSTER_HOME"])
    for made in ("changesets", "failed_rows", "tmp", "dagster/tmp"):
        (home / made).mkdir(parents=True, exist_ok=True)
    try:
        for name in UNITS:
            service = unit(name)
            writable = dagster if name == "reverse-etl-daemon" else home
            environment = {**environment, "TMPDIR": str(writable / "tmp")}
            with (folder / f"{name}.log").open("wb") as log:
                for line in service.get("ExecStartPre", []):
                    before = confined(command(line, environment), folder, writable)
                    subprocess.run(before, cwd=folder, env=environment, stdout=log, stderr=log, check=True, timeout=60)
                (line,) = service["ExecStart"]
                running[name] = subprocess.Popen(
                    confined(command(line, environment), folder, writable),
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
