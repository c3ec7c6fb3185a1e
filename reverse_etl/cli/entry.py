"""Where ``reverse-etl`` starts: from here on Ctrl-C ends it with 130, also while its modules are loaded."""

from __future__ import annotations

import os
import signal

from reverse_etl.errors import INTERRUPTED_EXIT_CODE


def main() -> None:
    """Loads the commands, and runs the one that is asked for."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeded:
        # Nothing has begun that would have to end in order.
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED_EXIT_CODE))
    from reverse_etl.cli.main import main as run

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()
