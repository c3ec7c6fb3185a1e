"""The store of a process that lives long, such as the daemon or a code server: its connections stay open between uses.

A run, a command and whatever is forked have ``open_store``, which opens one for each use and keeps none.
"""

from __future__ import annotations

import atexit
import os
from functools import cache

from reverse_etl.state.migrate import bring_up_to_date
from reverse_etl.state.store import Store


def kept_store(url: str) -> Store:
    """The process's store behind a URL. Each call makes sure that its tables are those of this release.

    A connection that a restarted server closed is replaced before it is used.

    Raises:
        StateError: It cannot be used; the hint says what to do.
        MissingDriverError: The Postgres driver is not installed.
    """
    store = _of_process(url, os.getpid())
    bring_up_to_date(store)
    return store


@cache
def _of_process(url: str, process: int) -> Store:  # noqa: ARG001 - a fork has connections of its own
    store = Store(url, keeps=True)
    atexit.register(store.close)
    return store
