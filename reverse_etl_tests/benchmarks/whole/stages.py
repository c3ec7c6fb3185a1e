"""One run's three stages, called one after the other in one process without Dagster: what each takes alone.

``python -m reverse_etl_tests.benchmarks.whole.stages SYNC`` in a project's folder.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import warnings
from pathlib import Path

from reverse_etl.changeset.extract import Before, extract
from reverse_etl.changeset.parts import RunFolder, count
from reverse_etl.checks.runner import validate
from reverse_etl.cli.process_wide import save_memory
from reverse_etl.config.loader import load_project
from reverse_etl.run.send import send
from reverse_etl.sources import connect, dialect, free_at_once
from reverse_etl_tests.benchmarks.memory import peak_mb
from reverse_etl_tests.benchmarks.whole.floor import timed


def main(name: str) -> None:
    """Prints seconds of the clock and of the processor for each stage, and the peak after it, as JSON."""
    warnings.simplefilter("ignore")
    # As the command does.
    save_memory()
    free_at_once()
    project = load_project(Path("syncs"))
    sync = project.syncs[name]
    database, destination = project.databases[sync.database], project.destinations[sync.destination]
    told: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = RunFolder(Path(made) / "run")

        def read() -> None:
            with connect(database) as session:
                extract(sync, session, folder, before=Before(), dialect=dialect(database))

        def deliver() -> None:
            facts = folder.facts()
            assert facts is not None
            asyncio.run(send(sync, destination, folder, facts))

        for stage, work in (("extract", read), ("validate", lambda: validate(sync, folder)), ("deliver", deliver)):
            wall_s, cpu_s = timed(work)
            told[stage] = {"wall_s": wall_s, "cpu_s": cpu_s, "peak_mb": peak_mb()}
        counts = count(folder.outcomes("rows"))
    if counts.delivered != counts.extracted:
        sys.exit(f"{counts.delivered:,} rows of {counts.extracted:,} were delivered")
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
