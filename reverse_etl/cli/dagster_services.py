"""Dagster's web page and daemon over one set of code servers: the process that ``ui`` starts.

It calls what ``dg dev`` calls, so that no command of Dagster's that is superseded runs and none has to be installed.
"""

from __future__ import annotations

import logging
import sys
from typing import Final

_HOME_ELSEWHERE: Final = "Found a dagster instance configuration value"
"""A ``dagster.yaml`` in the current folder that is not DAGSTER_HOME's: `ui` has chosen the home, so it is no news."""


def command(workspace: str, *, host: str, port: int) -> list[str]:
    """How the process is started.

    Args:
        workspace: Path of a ``workspace.yaml``.
        host: The address of the page.
        port: Its port.
    """
    return [sys.executable, "-m", __name__, workspace, host, str(port)]


def main(workspace: str, host: str, port: str) -> None:
    """Serves until it is interrupted; what Dagster warns of goes to stderr."""
    from dagster._cli.dev import dev_command_impl
    from dagster_shared.cli import WorkspaceOpts

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


if __name__ == "__main__":
    main(*sys.argv[1:])
