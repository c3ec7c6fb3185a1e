"""Dagster's web page and daemon over one set of code servers: the process that ``ui`` starts.

It calls what ``dg dev`` calls, so that no command of Dagster's that is superseded runs and none has to be installed.
All that it starts is one process group, which ends with whoever started it: also where that was killed, as schedules
that run on unseen send rows unexpectedly.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reverse_etl.state.home import Home

_HOME_ELSEWHERE: Final = "Found a dagster instance configuration value"
"""A ``dagster.yaml`` in the current folder that is not DAGSTER_HOME's: `ui` has chosen the home, so it is no news."""

_STDERR: Final = 2
_LAST_WORDS_S: Final = 5.0


def command(workspace: str, *, host: str, port: int, ends_with: int) -> list[str]:
    """How the process is started, in a session of its own.

    Args:
        workspace: Path of a ``workspace.yaml``.
        host: The address of the page.
        port: Its port.
        ends_with: The reading end of a pipe, inherited: once every writer has closed it, the process group ends.
    """
    return [sys.executable, "-m", __name__, workspace, host, str(port), str(ends_with)]


def main(workspace: str, host: str, port: str, ends_with: str) -> None:
    """Serves until it is interrupted; what Dagster warns of goes to stderr."""
    # Shells start what runs in the background with SIGINT ignored, and Dagster's processes would inherit that. Before
    # they exist, it ends this process without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ending = threading.Event()
    threading.Thread(target=_interrupt_after, args=(int(ends_with), ending), daemon=True).start()
    from dagster._cli.dev import dev_command_impl
    from dagster_shared.cli import WorkspaceOpts

    from reverse_etl.cli import words
    from reverse_etl.cli.tables import say
    from reverse_etl.errors import StateError
    from reverse_etl.state.home import Home

    try:
        check_launcher(Home.from_environment())
    except StateError as error:
        say(words.console(stderr=True), f"Error: {error}")
        raise SystemExit(error.exit_code) from None

    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.getLogger("dagster").addFilter(lambda record: not record.getMessage().startswith(_HOME_ELSEWHERE))
    with silent_once(ending):
        dev_command_impl(
            code_server_log_level="warning",
            log_level="warning",
            log_format="colored",
            port=port,
            host=host,
            use_legacy_code_server_behavior=False,
            shutdown_pipe=None,
            verbose=False,
            workspace_opts=WorkspaceOpts(workspace=(workspace,)),
        )


def check_launcher(home: Home) -> None:
    """Loads what ``dagster.yaml`` names to start runs, which Dagster itself does only when a run is due.

    Raises:
        StateError: It cannot be loaded, or other settings cannot be used.
    """
    import dagster as dg
    from dagster._check import CheckError

    from reverse_etl.cli.dagster_home import dagster_instance
    from reverse_etl.cli.dagster_settings import DAGSTER_HOME_VARIABLE
    from reverse_etl.errors import StateError

    with dagster_instance(home, {}) as instance:
        for name in ("run_coordinator", "run_launcher"):
            try:
                getattr(instance, name)
            except (dg.DagsterError, CheckError, ImportError, TypeError, ValueError) as error:
                raise StateError(
                    f"{name} of {Path(os.environ[DAGSTER_HOME_VARIABLE]) / 'dagster.yaml'} cannot be loaded: "
                    f"{type(error).__name__}.",
                    hint="See that its module, class and config are right, and that what they need is installed.",
                ) from None


@contextmanager
def silent_once(ending: threading.Event) -> Iterator[None]:
    """Lets what this process and those that it starts in the block write to stderr pass, until they are to end.

    A process that is ended while it imports or starts shows a traceback, which is no news to who has ended it.
    """
    shown = os.dup(_STDERR)
    reading, writing = os.pipe()
    os.dup2(writing, _STDERR)
    os.close(writing)
    passing = threading.Thread(target=_pass_on, args=(reading, shown, ending), daemon=True)
    passing.start()
    try:
        yield
    finally:
        if not ending.is_set():
            os.dup2(shown, _STDERR)
            passing.join(_LAST_WORDS_S)


def _pass_on(reading: int, shown: int, ending: threading.Event) -> None:
    """Reads to the end in any case: who writes into a full pipe would wait for ever."""
    with open(shown, "wb", closefd=False) as screen:
        while part := os.read(reading, 65_536):
            if not ending.is_set():
                with suppress(OSError):
                    screen.write(part)
                    screen.flush()


def _interrupt_after(pipe: int, ending: threading.Event) -> None:
    """Does to the process group what Ctrl-C does at a terminal, once a pipe is closed at its other end."""
    while os.read(pipe, 1):
        pass
    ending.set()
    os.killpg(os.getpgrp(), signal.SIGINT)


if __name__ == "__main__":
    main(*sys.argv[1:])
