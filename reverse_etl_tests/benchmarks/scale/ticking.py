"""One minute of the daemon on PostgreSQL: its ticks, and the queue's turn after them, as JSON.

``python -m reverse_etl_tests.benchmarks.scale.ticking POSTGRES_URL``: Dagster's storage there, and the state where the
environment says, the code location in a code server of its own. Connections are those that the server counted for both
databases, whoever opened them; processor seconds are the daemon's.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import psycopg
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget

from reverse_etl_tests.defs.daemon import Daemon, shipped_instance

_BEFORE: Final = datetime(2026, 11, 26, 22, 59, 30, tzinfo=UTC)
_DUE: Final = datetime(2026, 11, 26, 23, 0, 0, 10, tzinfo=UTC)
_LOCATION: Final = ModuleTarget("reverse_etl.definitions", None, None, "reverse_etl")
_THREADS: Final = 8
"""As ``dagster.yaml`` is shipped."""


def main(url: str) -> None:
    """The first look at every schedule is not counted: it happens once, after a start."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    found: dict[str, float] = {}
    with (
        # A code server that takes long to end is given up, and ends by itself when nobody calls any more.
        suppress(subprocess.TimeoutExpired),
        psycopg.connect(url, autocommit=True) as counting,
        shipped_instance(url.replace("postgresql://", "postgresql+psycopg2://")) as instance,
        WorkspaceProcessContext(instance, _LOCATION) as context,
    ):
        daemon = Daemon(instance, context, _THREADS)

        def sessions() -> int:
            # What a session did is counted when it ends, a moment later.
            time.sleep(1)
            row = counting.execute("SELECT sum(sessions) FROM pg_stat_database").fetchone()
            return int(row[0]) if row else 0

        daemon.ticks(_BEFORE)
        before, began, cpu = sessions(), time.perf_counter(), time.process_time()
        daemon.ticks(_DUE)
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        ticked = sessions()
        queued = instance.get_runs_count()
        dequeued = len(daemon.dequeue())
        found = {
            "queued": queued,
            "tick_s": wall_s,
            "tick_cpu_s": cpu_s,
            "tick_connections": ticked - before,
            "dequeued": dequeued,
            "dequeue_connections": sessions() - ticked,
        }
    if not found:
        sys.exit("the code server did not start in time")
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
