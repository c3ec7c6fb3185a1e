"""The README's words, executed: the demo, every command after it, every YAML and Python example."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reverse_etl.demo.expected import expected
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.dagster_ui import free_port

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The README's fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """Every command line of the README's console blocks."""
    return [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines() if line[:2] == "$ "]


@pytest.fixture(scope="module")
def after_the_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, str]]:
    """A copy of the shipped syncs in which `reverse-etl demo` has run, its sandbox still there, and its output."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "syncs", folder / "syncs")
    url = f"http://127.0.0.1:{free_port()}"
    addresses = {"CUSTOMERIO_TRACK_URL": url, "CUSTOMERIO_APP_URL": url}
    project = Project(folder, addresses | {"REVERSE_ETL_HOME": str(folder / ".reverse_etl")})
    done = project.reverse_etl("demo")
    try:
        assert 0 == done.returncode, done.stdout + done.stderr
        yield project, done.stdout
    finally:
        project.command("pkill", "-f", f"sandbox --port {url.rpartition(':')[2]}")


def test_the_demo_delivers_the_good_rows_and_lists_the_others(after_the_demo: tuple[Project, str]) -> None:
    """What is in the sandbox is what the shop's oracle says, and each failed row is shown with its reason."""
    project, shown = after_the_demo
    must = expected(project.folder / ".reverse_etl" / "shop.db")
    url = project.environment["CUSTOMERIO_TRACK_URL"]
    arrived = {person["id"] for person in httpx.get(f"{url}/_sandbox/people").json()}
    assert must.people.keys() == arrived
    assert must.companies.keys() == {row["object_id"] for row in httpx.get(f"{url}/_sandbox/objects").json()}
    assert 4 == shown.count("equal to the shop's good rows")
    for failure in must.failures:
        assert re.search(rf"{failure.sync}.*\b{failure.row_number}\b.*{failure.reason}", shown)
    assert ".csv" in shown
    assert "reverse-etl ui" in shown


def test_the_demo_can_be_run_again(after_the_demo: tuple[Project, str]) -> None:
    """A second demo empties its own sandbox and ends the same."""
    project, _ = after_the_demo
    assert 0 == project.reverse_etl("demo").returncode


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith(("reverse-etl", "dagster"))])
def test_each_command_after_the_demo_works(after_the_demo: tuple[Project, str], line: str) -> None:
    """The commands of the README end well; those that start the UI are tested in a browser."""
    if line == "reverse-etl ui":
        return
    project, _ = after_the_demo
    (exported,) = [each for each in commands() if each.startswith("export DAGSTER_HOME=")]
    home = exported.removeprefix("export DAGSTER_HOME=").strip('"').replace("$PWD", str(project.folder))
    project.environment["DAGSTER_HOME"] = home
    program, *arguments = shlex.split(line)
    done = project.command(str(Path(sys.executable).with_name(program)), *arguments)
    # The companies have a row that is bad on purpose: its run ends as some_rows_failed.
    assert done.returncode in ((0, 7) if " run " in line else (0, 1) if "job execute" in line else (0,)), done.stderr
    assert "Traceback" not in done.stderr
    if program == "dagster":
        assert "DEBUG" not in done.stderr
        (run_id,) = set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", done.stderr))
        assert (Path(home) / "history" / "runs" / f"{run_id}.db").exists()


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("make")])
def test_each_make_target_exists(line: str) -> None:
    """The README's make targets are targets of the Makefile."""
    project = Project(ROOT)
    assert 0 == project.command("make", "--dry-run", *shlex.split(line)[1:]).returncode


def test_the_yaml_examples_are_valid(tmp_path: Path) -> None:
    """Each YAML block names its file on its first line; together they pass `validate`."""
    project = Project(tmp_path)
    for block in blocks("yaml"):
        first = block.splitlines()[0]
        project.write(first.removeprefix("# syncs/"), block)
    done = project.reverse_etl("validate", "--json")
    assert 0 == done.returncode, done.stderr


def test_the_python_example_runs(after_the_demo: tuple[Project, str]) -> None:
    """The assets of the README materialize on top of the demo's run."""
    project, _ = after_the_demo
    (example,) = blocks("python")
    program = (
        "import dagster as dg\nfrom reverse_etl.definitions import defs as code_location\n"
        f"{example}\n"
        "definitions = code_location()\n"
        "with dg.DagsterInstance.get() as instance:\n"
        "    merged = dg.Definitions.merge(definitions, dg.Definitions(assets=[people_by_plan, vip_flags]))\n"
        "    job = merged.resolve_implicit_global_asset_job_def()\n"
        "    keys = [people_by_plan.key, vip_flags.key]\n"
        "    result = job.execute_in_process(instance=instance, asset_selection=keys)\n"
        "    print(sorted(result.output_for_node('people_by_plan')))\n"
    )
    project.environment["DAGSTER_HOME"] = str(project.folder / ".reverse_etl" / "dagster")
    done = project.command(sys.executable, "-c", program)
    assert "['free', 'pro', 'team']" in done.stdout, done.stderr
