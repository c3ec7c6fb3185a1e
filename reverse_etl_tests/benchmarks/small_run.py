"""`reverse-etl run` of 100 rows beside an empty Dagster job, in turn, each on a stored instance, in processor seconds.

The empty job has one asset, runs in one process, and its process ends as ours does: at once, without taking Python
apart. It runs twice in each turn: in the instance of the run, with its settings, and in one as Dagster makes it, which
imports nothing of this package. In neither is output captured.
``python -m reverse_etl_tests.benchmarks.small_run [TURNS]``; the aim is at most 1.3 times the empty job.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from reverse_etl_tests.project import SHOP, Project, fill, people
from reverse_etl_tests.servers.sandbox import running_sandbox

TURNS: Final = 15
ROWS: Final = 100

_EMPTY: Final = """\
import dagster as dg

@dg.asset
def nothing() -> None: ...

job_of_it = dg.define_asset_job("empty", [nothing], executor_def=dg.in_process_executor)

def job() -> dg.JobDefinition:
    return dg.Definitions(assets=[nothing], jobs=[job_of_it]).resolve_job_def("empty")
"""

_RUN_EMPTY: Final = """\
import atexit, os, sys
import dagster as dg
from dagster._core.instance.ref import InstanceRef
logs = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager", "config": {}}
ref = InstanceRef.from_dir(os.environ["DAGSTER_HOME"], overrides={"compute_logs": logs})
with dg.DagsterInstance.from_ref(ref) as instance:
    recipe = dg.build_reconstructable_job("bare", "job", reconstructable_kwargs={})
    done = dg.execute_job(recipe, instance)
    succeeded = done.success
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
os._exit(0 if succeeded else 1)
"""


def processor_seconds(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    """Of a command that must end well, with the processes that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def turns(folder: Path, sandbox_url: str, times: int) -> list[tuple[float, float, float]]:
    """Seconds of our run, of the empty job in its instance, and in Dagster's own; the first turn is not counted."""
    project = Project(folder)
    project.connections(SHOP, sandbox_url)
    fill(folder / "shop.db", [(str(number), f"p{number}@example.com", "free") for number in range(ROWS)])
    project.write("people.yaml", people())
    (folder / "bare.py").write_text(_EMPTY)
    (folder / "run_bare.py").write_text(_RUN_EMPTY)
    (folder / "dagster").mkdir()
    (folder / "dagster/dagster.yaml").write_text("telemetry: {enabled: false}\n")
    ours = [str(Path(sys.executable).with_name("reverse-etl")), "run", "people", "--full"]
    bare = [sys.executable, "run_bare.py"]
    environment = project.env()
    # What is installed has its bytecode beside it, as a user's has.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    path = os.pathsep.join(each for each in (str(folder), environment.get("PYTHONPATH", "")) if each)
    beside = environment | {"DAGSTER_HOME": str(folder / "home/dagster"), "PYTHONPATH": path}
    alone = beside | {"DAGSTER_HOME": str(folder / "dagster")}
    found = [
        (
            processor_seconds(ours, folder, environment),
            processor_seconds(bare, folder, beside),
            processor_seconds(bare, folder, alone),
        )
        for _ in range(times + 1)
    ]
    return found[1:]


def main() -> None:
    """Prints the ratio of our run to each empty job, turn by turn: its median, least and most."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else TURNS
    with tempfile.TemporaryDirectory() as folder, running_sandbox() as sandbox:
        found = turns(Path(folder), sandbox.url, times)
    ours, *empty = zip(*found, strict=True)
    for name, bare in zip(("in the same instance", "in Dagster's own"), empty, strict=True):
        ratios = [run / job for run, job in zip(ours, bare, strict=True)]
        print(
            f"{ROWS} rows: {statistics.median(ours):.2f} s of processor time, an empty job {name} "
            f"{statistics.median(bare):.2f} s: {statistics.median(ratios):.2f} x ({min(ratios):.2f}-{max(ratios):.2f}, "
            f"{times} turns; at most 1.3); the least {min(ours):.2f} and {min(bare):.2f} s: "
            f"{min(ours) / min(bare):.2f} x"
        )


if __name__ == "__main__":
    main()
