"""One run of one sync, as Dagster's launcher starts it, on PostgreSQL: the rows that it leaves there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import psycopg

from reverse_etl_tests.benchmarks.whole.child import ran
from reverse_etl_tests.project import Project

_STORAGE: Final = "telemetry: {{enabled: false}}\nstorage: {{postgres: {{postgres_url: '{url}'}}}}\n"
_LEFT: Final = {
    "events": "SELECT count(*) FROM event_logs",
    "event_bytes": "SELECT coalesce(sum(length(event)), 0) FROM event_logs",
    "check_rows": "SELECT count(*) FROM asset_check_executions",
}
RUNS: Final = 3


def left_by_a_run(project: Project, url: str) -> dict[str, Any]:
    """What ``dagster job execute`` of the first sync leaves, a run: the mean of some."""
    home = project.folder / "dagster"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text(_STORAGE.format(url=url.replace("postgresql://", "postgresql+psycopg2://")))
    command = [str(Path(sys.executable).with_name("dagster")), "job", "execute"]
    command += ["-m", "reverse_etl.definitions", "-j", "sync_00000"]
    environment = project.env() | {"DAGSTER_HOME": str(home)}
    seconds = [ran(command, folder=project.folder, environment=environment, json_out=False).cpu_s for _ in range(RUNS)]
    with psycopg.connect(url) as connection:
        rows = {name: connection.execute(query).fetchone() for name, query in _LEFT.items()}
    found = {name: float(row[0]) / RUNS for name, row in rows.items() if row}
    return found | {"run_cpu_s": sorted(seconds)[RUNS // 2]}
