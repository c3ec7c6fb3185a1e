"""A process that has imported what commands import of others, and is forked for each command: seconds less for each.

Our own code is imported by every command anew, as in a fresh process.
"""

from __future__ import annotations

import atexit
import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path

_OTHERS = [
    "alembic.command",
    "dagster",
    "dagster._core.definitions.repository_definition.repository_data_builder",
    "dagster._core.execution.api",
    "dagster._core.executor.in_process",
    "dagster._utils.test.definitions",
    "duckdb",
    "httpx",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
    "pydantic",
    "sqlalchemy.dialects.sqlite",
    "sqlglot.dialects.sqlite",
    "sqlglot.lineage",
    "typer",
]


def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_OTHERS)
    return context


def _main(
    arguments: tuple[str, ...], folder: str, environment: dict[str, str], outputs: tuple[str, str], typed: str
) -> None:
    """What the entry point `reverse-etl` does, with the fork made to look like a process of its own."""
    # What the process that was forked wants done at its end, coverage's part among it, is for that process alone.
    atexit._clear()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["reverse-etl", *arguments]
    sys.stdin = io.StringIO(typed)
    from reverse_etl.cli.main import main

    try:
        main()
    finally:
        # The end of a fork does not run by itself what the command registered.
        atexit._run_exitfuncs()


def reverse_etl(
    *arguments: str, folder: Path, environment: Mapping[str, str], timeout: float, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs the command in a forked process; stdout and stderr are kept apart; `typed` is what it reads on stdin.

    Raises:
        subprocess.TimeoutExpired: it has not ended after `timeout` seconds.
    """
    with tempfile.TemporaryDirectory() as scratch:
        outputs = (f"{scratch}/stdout", f"{scratch}/stderr")
        process = _forks().Process(target=_main, args=(arguments, str(folder), dict(environment), outputs, typed))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, timeout)
        stdout, stderr = (Path(path).read_text(encoding="utf-8") for path in outputs)
        done = subprocess.CompletedProcess(arguments, process.exitcode, stdout, stderr)
        process.close()
    return done
