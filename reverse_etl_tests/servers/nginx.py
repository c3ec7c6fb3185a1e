"""The shipped proxy with a login, in front of a port of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reverse_etl_tests.servers.dagster_ui import free_port
from reverse_etl_tests.servers.deployment import DEPLOY
from reverse_etl_tests.servers.sandbox import wait_until

_ATTEMPTS = 5
"""Another process may take the port before nginx does."""


@contextmanager
def running_proxy(folder: Path, login: Path, upstream: int, syncs_page: int) -> Iterator[str]:
    """The proxy's URL, until the block ends.

    Args:
        folder: Where it writes what it writes to `/tmp` in its container.
        login: The folder with certificate, key and users.
        upstream: The port of Dagster's webserver.
        syncs_page: The port of the Syncs page.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed: apt-get install nginx-light")
    shipped = (DEPLOY / "proxy" / "nginx.conf").read_text()
    for _ in range(_ATTEMPTS):
        port = free_port()
        here = {
            "webserver:3000": f"127.0.0.1:{upstream}",
            "syncs-page:3001": f"127.0.0.1:{syncs_page}",
            "listen 8443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/nginx/login": str(login),
            "/tmp/": f"{folder}/",  # noqa: S108 - in its container
        }
        text = shipped
        for told, used in here.items():
            assert told in text
            text = text.replace(told, used)
        if os.getuid() == 0:
            text = f"user root;\n{text}"  # in its container it has no other user
        (folder / "nginx.conf").write_text(text)
        command = [program, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-g", "daemon off;"]
        with (folder / "nginx.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        if _started(process, folder / "nginx.pid"):
            break
    else:
        pytest.fail((folder / "nginx.log").read_text())
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _started(process: subprocess.Popen[bytes], pid_file: Path) -> bool:
    """Whether it listens; or else it has ended, and said why."""
    wait_until(lambda: pid_file.exists() or process.poll() is not None, timeout_s=20, every_s=0.01)
    return process.poll() is None
