"""`reverse-etl run` of 100 rows beside an empty Dagster job, in turn, on one stored instance, in processor seconds.

The empty job has one op, runs in one process, and its process ends as ours does: at once, without taking Python apart.
``python -m reverse_etl_tests.benchmarks.small_run [PAIRS]``; the aim is at most 1.3 times the empty job.
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

PAIRS: Final = 15
ROWS: Final = 100

_EMPTY: Final = """\
import dagster as dg

@dg.op
def nothing() -> None: ...

@dg.job(executor_def=dg.in_process_executor)
def empty() -> None:
    nothing()
"""

_RUN_EMPTY: Final = """\
import atexit, os, sys
import dagster as dg
from dagster._core.instance.ref import InstanceRef
with dg.DagsterInstance.from_ref(InstanceRef.from_dir(os.environ["DAGSTER_HOME"])) as instance:
    recipe = dg.build_reconstructable_job("bare", "job", reconstructable_kwargs={})
    done = dg.execute_job(recipe, instance)
    succeeded = done.success
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
os._exit(0 if succeeded else 1)
"""

_JOB: Final = """

def job() -> dg.JobDefinition:
    return empty
"""


def processor_seconds(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    """Of a command that must end well, with the processes that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pairs(folder: Path, sandbox_url: str, times: int) -> list[tuple[float, float]]:
    """Seconds of our run and of the empty job, turn by turn, after one of each that is not counted."""
    project = Project(folder)
    project.connections(SHOP, sandbox_url)
    fill(folder / "shop.db", [(str(number), f"p{number}@example.com", "free") for number in range(ROWS)])
    project.write("people.yaml", people())
    (folder / "bare.py").write_text(_EMPTY + _JOB)
    (folder / "run_bare.py").write_text(_RUN_EMPTY)
    ours = [str(Path(sys.executable).with_name("reverse-etl")), "run", "people", "--full"]
    bare = [sys.executable, "run_bare.py"]
    environment = project.env()
    # What is installed has its bytecode beside it, as a user's has.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    path = os.pathsep.join(each for each in (str(folder), environment.get("PYTHONPATH", "")) if each)
    beside = environment | {"DAGSTER_HOME": str(folder / "home/dagster"), "PYTHONPATH": path}
    found = [
        (processor_seconds(ours, folder, environment), processor_seconds(bare, folder, beside))
        for _ in range(times + 1)
    ]
    return found[1:]


def main() -> None:
    """Prints the ratio of each turn's two, its median, least and most."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    with tempfile.TemporaryDirectory() as folder, running_sandbox() as sandbox:
        found = pairs(Path(folder), sandbox.url, times)
    ratios = [ours / bare for ours, bare in found]
    least = [min(each) for each in zip(*found, strict=True)]
    middle = [statistics.median(each) for each in zip(*found, strict=True)]
    print(
        f"{ROWS} rows: {middle[0]:.2f} s of processor time, an empty job {middle[1]:.2f} s: "
        f"{statistics.median(ratios):.2f} x ({min(ratios):.2f}-{max(ratios):.2f}, {times} pairs; at most 1.3); "
        f"the least {least[0]:.2f} and {least[1]:.2f} s: {least[0] / least[1]:.2f} x"
    )


if __name__ == "__main__":
    main()
