"""`reverse-etl ui` for tests: Dagster's page, daemon and code server in a process group of their own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

READY_S = 120
PROGRAM = Path(sys.executable).with_name("reverse-etl")


def free_port() -> int:
    """A port of the loopback address that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_ui(folder: Path, environment: dict[str, str], *options: str, program: Path = PROGRAM) -> Iterator[str]:
    """Starts the UI for `folder/syncs` and yields its address once its code location is loaded."""
    port = free_port()
    command = [str(program), "ui", "--port", str(port), "--syncs-port", "0", *options]
    log = folder / "ui.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        _sweep(process)


def syncs_page(folder: Path) -> str:
    """The address of the Syncs page that runs beside it, without the token that a browser needs first."""
    return address_of((folder / "ui.log").read_text())[0]


def with_token(folder: Path) -> str:
    """What a person opens: the same with the token."""
    address, token = address_of((folder / "ui.log").read_text())
    return f"{address}/?token={token}"


def address_of(log: str) -> tuple[str, str]:
    """Where the page is, by what a process printed that serves it, and the token, by the file that is named there."""
    found = re.search(r"The Syncs page:\s+(http://[^\s?]+)/\?token=…\s+\(the\s+token\s+is\s+in\s+(\S+)\)", log)
    assert found is not None, log
    return found[1], Path(found[2]).read_text()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    query = {"query": "{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"}
    deadline = time.monotonic() + READY_S
    pause = threading.Event()
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.post(f"{url}/graphql", json=query, timeout=5)
            if answer.status_code == 200 and '"LOADED"' in answer.text:
                return
        pause.wait(0.2)
    raise RuntimeError(f"Dagster's UI did not start:\n{log.read_text()[-3000:]}")


def _sweep(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
