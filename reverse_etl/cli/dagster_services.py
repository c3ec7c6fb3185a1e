"""Dagster's web page and daemon over one set of code servers: the process that ``ui`` starts.

It calls what ``dg dev`` calls, so that no command of Dagster's that is superseded runs and none has to be installed.
All that it starts is one process group, which ends with whoever started it: also where that was killed, as schedules
that run on unseen send rows that nobody expects any more.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import Final

_HOME_ELSEWHERE: Final = "Found a dagster instance configuration value"
"""A ``dagster.yaml`` in the current folder that is not DAGSTER_HOME's: `ui` has chosen the home, so it is no news."""


def command(workspace: str, *, host: str, port: int, ends_with: int) -> list[str]:
    """How the process is started, in a session of its own.

    Args:
        workspace: Path of a ``workspace.yaml``.
        host: The address of the page.
        port: Its port.
        ends_with: The reading end of a pipe, inherited: once nobody can write to it, the process group ends.
    """
    return [sys.executable, "-m", __name__, workspace, host, str(port), str(ends_with)]


def main(workspace: str, host: str, port: str, ends_with: str) -> None:
    """Serves until it is interrupted; what Dagster warns of goes to stderr."""
    # Shells start what runs in the background with SIGINT ignored, and Dagster's processes would inherit that. Before
    # they exist, it ends this process without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_interrupt_after, args=(int(ends_with),), daemon=True).start()
    from dagster._cli.dev import dev_command_impl
    from dagster_shared.cli import WorkspaceOpts

    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.getLogger("dagster").addFilter(lambda record: not record.getMessage().startswith(_HOME_ELSEWHERE))
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


def _interrupt_after(pipe: int) -> None:
    """Does to the process group what Ctrl-C does at a terminal, once a pipe is closed at its other end."""
    while os.read(pipe, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGINT)


if __name__ == "__main__":
    main(*sys.argv[1:])
