"""What Dagster costs with us beside what it costs alone, as ratios of runs that took turns.

* a cold ``dagster job execute`` of a small sync, to an empty job: at most 2.0
* loading a code location of 300 syncs, to 300 bare three-asset jobs with a schedule: at most 1.5
* one tick's evaluation with 10,000 runs stored: under 100 ms
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from reverse_etl_tests.project import SHOP, Project, fill, people
from reverse_etl_tests.servers.sandbox import running_sandbox

SYNCS = 300
RUNS = 10_000
TURNS = 5

EMPTY = """\
import dagster as dg

@dg.op
def nothing() -> None: ...

@dg.job(executor_def=dg.in_process_executor)
def empty() -> None:
    nothing()

defs = dg.Definitions(jobs=[empty])
"""

BARE = f"""\
import dagster as dg

def three(name):
    @dg.asset(name=f"{{name}}_changeset", key_prefix=name)
    def changeset() -> None: ...
    @dg.asset(name=f"{{name}}_validated", key_prefix=name, deps=[changeset])
    def validated() -> None: ...
    @dg.asset(name=f"{{name}}_delivery", key_prefix=name, deps=[validated])
    def delivery() -> None: ...
    return [changeset, validated, delivery]

assets, jobs, schedules = [], [], []
for number in range({SYNCS}):
    own = three(f"bare_{{number}}")
    job = dg.define_asset_job(f"bare_{{number}}", dg.AssetSelection.assets(*own), executor_def=dg.in_process_executor)
    assets += own
    jobs.append(job)
    schedules.append(dg.ScheduleDefinition(job=job, cron_schedule="30 * * * *"))
defs = dg.Definitions(assets=assets, jobs=jobs, schedules=schedules)
"""

LOAD = """\
import sys, time
began = time.perf_counter()
from {module} import defs
import dagster as dg
found = defs() if callable(defs) else defs
found.get_repository_def().get_all_jobs()
print(time.perf_counter() - began)
"""

TICK = """\
import time
from datetime import datetime, timezone
import dagster as dg
from reverse_etl.definitions import defs
schedule = defs().resolve_schedule_def("people_schedule")
times = []
with dg.DagsterInstance.get() as instance:
    for _ in range(7):
        at = datetime(2026, 1, 5, 2, 30, tzinfo=timezone.utc)
        with dg.build_schedule_context(
            instance=instance, scheduled_execution_time=at, resources=defs().resources
        ) as context:
            began = time.perf_counter()
            schedule.evaluate_tick(context)
            times.append(time.perf_counter() - began)
print(sorted(times)[3])
"""


def seconds(command: list[str], project: Project, **environment: str) -> float:
    """Wall time of a command that must end well."""
    began = time.perf_counter()
    subprocess.run(
        command, cwd=project.folder, env=project.env() | environment, check=True, capture_output=True, text=True
    )
    return time.perf_counter() - began


def printed(program: str, project: Project, **environment: str) -> float:
    """The number that a Python program prints."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project.folder,
        env=project.env() | environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(done.stdout)


def cold_job(folder: Path, sandbox_url: str) -> tuple[float, float]:
    """Seconds of our job and of an empty one, medians of runs in turn."""
    project = Project(folder)
    project.connections(SHOP, sandbox_url)
    fill(folder / "shop.db", [(str(number), f"p{number}@example.com", "free") for number in range(100)])
    project.write("people.yaml", people())
    (folder / "bare.py").write_text(EMPTY)
    dagster = str(Path(sys.executable).with_name("dagster"))
    ours, bare = [], []
    for _ in range(TURNS):
        home = {"DAGSTER_HOME": str(folder / "dagster")}
        Path(home["DAGSTER_HOME"]).mkdir(exist_ok=True)
        bare.append(seconds([dagster, "job", "execute", "-f", "bare.py", "-j", "empty"], project, **home))
        command = [dagster, "job", "execute", "-m", "reverse_etl.definitions", "-j", "people"]
        ours.append(seconds(command, project, **home))
    return statistics.median(ours), statistics.median(bare)


def location(folder: Path) -> tuple[float, float]:
    """Seconds in which our code location and a bare one load, medians of processes in turn."""
    project = Project(folder)
    project.connections(SHOP)
    for number in range(SYNCS):
        scheduled = people().replace("schedule: manual", "schedule: {every: 1h, start_at: 2026-01-05T01:30:00Z}")
        project.write(f"sync_{number}.yaml", scheduled)
    (folder / "bare.py").write_text(BARE)
    path = {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
    ours, bare = [], []
    for _ in range(TURNS):
        bare.append(printed(LOAD.format(module="bare"), project, **path))
        ours.append(printed(LOAD.format(module="reverse_etl.definitions"), project, **path))
    return statistics.median(ours), statistics.median(bare)


def tick(folder: Path) -> float:
    """Seconds of one tick's evaluation beside many stored runs."""
    import dagster as dg

    project = Project(folder)
    project.connections(SHOP)
    scheduled = people().replace("schedule: manual", "schedule: {every: 1h, start_at: 2026-01-05T01:30:00Z}")
    project.write("people.yaml", scheduled)
    home = folder / "dagster"
    home.mkdir()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for number in range(RUNS):
            run = dg.DagsterRun(
                job_name="people",
                run_id=f"00000000-0000-4000-8000-{number:012d}",
                status=dg.DagsterRunStatus.SUCCESS,
                tags={"reverse_etl/workspace": "main", "reverse_etl/sync": "people"},
            )
            instance.run_storage.add_run(run)
    return printed(TICK, project, DAGSTER_HOME=str(home))


def main() -> None:
    """Prints the three figures."""
    with tempfile.TemporaryDirectory() as folder, running_sandbox() as sandbox:
        parts = [Path(folder) / name for name in ("job", "location", "tick")]
        for part in parts:
            part.mkdir()
        ours, bare = cold_job(parts[0], sandbox.url)
        print(f"cold job execute: {ours:.2f} s, an empty job {bare:.2f} s: {ours / bare:.2f} x (at most 2.0)")
        ours, bare = location(parts[1])
        print(
            f"{SYNCS} syncs load in {ours:.2f} s, {SYNCS} bare jobs in {bare:.2f} s: {ours / bare:.2f} x (at most 1.5)"
        )
        print(f"a tick beside {RUNS:,} runs: {tick(parts[2]) * 1000:.0f} ms (under 100)")
    print(f"measured {datetime.now(UTC):%Y-%m-%d}")


if __name__ == "__main__":
    main()
