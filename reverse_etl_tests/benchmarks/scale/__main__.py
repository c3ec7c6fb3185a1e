"""``python -m reverse_etl_tests.benchmarks.scale [--sizes 300,1000,3000]``: measures, and writes ``docs/scale.md``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from reverse_etl_tests.benchmarks.scale import page
from reverse_etl_tests.benchmarks.scale.project import many_syncs
from reverse_etl_tests.benchmarks.scale.running import left_by_a_run
from reverse_etl_tests.benchmarks.whole.child import ChildError, busy_share, end_in_order, ran
from reverse_etl_tests.benchmarks.whole.figures import QUIET, machine
from reverse_etl_tests.benchmarks.whole.sink import running_sink
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers import postgres

WORKSPACES: Final = 100
SMALL: Final = 30
"""Syncs of one workspace, as a code location of its own has them."""
_ROOT: Final = Path(__file__).parents[3]
_OURS: Final = "reverse_etl_tests.benchmarks.scale"


@contextmanager
def databases() -> Iterator[tuple[str, str]]:
    """A server with empty databases for Dagster and for the state; their addresses."""
    binaries = postgres.find_binaries()
    if binaries is None:
        sys.exit(postgres.INSTALL)
    with postgres.postgres_server(binaries) as server:
        with server.admin("postgres") as admin:
            for name in ("dagster", "state"):
                admin.execute(f"DROP DATABASE IF EXISTS {name}")
                admin.execute(f"CREATE DATABASE {name}")
        dagster, state = (
            f"postgresql://postgres@/{name}?host={server.folder}&port={server.port}" for name in ("dagster", "state")
        )
        yield dagster, state


def measured(syncs: int, workspaces: int, *, ticks: bool = True) -> dict[str, Any]:
    """Loading, and a minute of ticks; what fails is an ``error`` beside what was measured before."""
    found: dict[str, Any] = {"syncs": syncs}
    with tempfile.TemporaryDirectory() as folder, databases() as (dagster, state):
        settings = {"PYTHONPATH": str(_ROOT), "DAGSTER_HOME": folder}
        project = many_syncs(Path(folder), syncs, workspaces, url="http://127.0.0.1:9", environment=settings)
        try:
            found |= _child(project, "loading")
            if ticks:
                project.environment["REVERSE_ETL_STATE_URL"] = state
                found |= _child(project, "ticking", dagster)
        except ChildError as error:
            found["error"] = str(error).replace("|", "∣")
    return found


def one_run() -> dict[str, Any]:
    """What a run of 100 rows leaves. Raises ChildError."""
    with tempfile.TemporaryDirectory() as folder, databases() as (dagster, _), running_sink() as sink:
        settings = {"PYTHONPATH": str(_ROOT)}
        return left_by_a_run(many_syncs(Path(folder), 1, 1, url=sink.url, environment=settings), dagster)


def _child(project: Project, module: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", f"{_OURS}.{module}", *arguments]
    return ran(command, folder=project.folder, environment=project.env()).printed


def main(arguments: Sequence[str] | None = None) -> None:
    """Takes some minutes for 3,000 syncs; the page is written again after each size."""
    parser = argparse.ArgumentParser(prog=f"python -m {_OURS}", description=__doc__)
    parser.add_argument("--sizes", default="300,1000,3000", help="numbers of syncs (300,1000,3000)")
    options = parser.parse_args(arguments)
    end_in_order()
    found: dict[str, Any] = {
        "machine": machine(),
        "taken_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "busy": "busy" if busy_share() > QUIET else "quiet",
        "workspaces": WORKSPACES,
        "threads": 8,
        "run": one_run(),
        "small": measured(SMALL, 1, ticks=False),
        "sizes": {},
    }
    for size in options.sizes.split(","):
        found["sizes"][size] = measured(int(size), WORKSPACES)
        print(json.dumps({size: found["sizes"][size]}), flush=True)
        page.FIGURES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        page.write()


if __name__ == "__main__":
    main()
