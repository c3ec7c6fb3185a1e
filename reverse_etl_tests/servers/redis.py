"""A private Redis: loopback only, nothing on disk, a port of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reverse_etl_tests.servers.dagster_ui import free_port

_ATTEMPTS = 5
"""Another process may take the port before Redis does."""


@contextmanager
def running_redis() -> Iterator[str]:
    """The URL of an empty server, until the block ends."""
    program = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    for _ in range(_ATTEMPTS):
        port = free_port()
        address = ["--port", str(port), "--bind", "127.0.0.1"]
        process = subprocess.Popen(
            [program, *address, "--save", "", "--appendonly", "no"], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        if any("Ready to accept connections" in line for line in process.stdout):
            break
        process.communicate()
    else:
        pytest.fail("Redis does not start")
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=10)
