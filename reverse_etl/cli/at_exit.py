"""The end of the process, without taking apart objects and modules by the thousand, which the system takes back anyway.

Python does that one by one, which is a quarter of a small run's processor time.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading


def end_at_once(code: object) -> None:
    """Ends the process as ``sys.exit`` would: what was registered runs, what was printed is written.

    Returns where Python has to do it: while a thread is in progress, and where output cannot be written.

    Args:
        code: Of ``SystemExit``.
    """
    main = threading.main_thread()
    if not (code is None or isinstance(code, int)) or any(
        not each.daemon for each in threading.enumerate() if each is not main
    ):
        return
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    os._exit(code or 0)
