"""The words of README and of "Five minutes", executed: the demo, every command after it, an example in Python."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reverse_etl.cli.demo_sandbox import DemoSandbox
from reverse_etl.demo.expected import expected
from reverse_etl.demo.shop import create_shop
from reverse_etl_tests.e2e.terminal_picture import PICTURE, demo_shown, drawn, words_of
from reverse_etl_tests.e2e.test_own_database import without_own_database
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.sandbox import running_sandbox

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
START = without_own_database((ROOT / "docs" / "start.md").read_text(encoding="utf-8"))
DAGSTER = (ROOT / "docs" / "dagster.md").read_text(encoding="utf-8")
COMMAND = str(Path(sys.executable).with_name("reverse-etl"))


def blocks(page: str, language: str) -> list[str]:
    """A page's fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[str]:
    """Every command line of a page's console blocks."""
    return [each[2:] for block in blocks(page, "console") for each in block.splitlines() if each[:2] == "$ "]


@pytest.fixture(scope="module", params=["clone", "wheel"])
def after_the_demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, str]]:
    """A folder in which `reverse-etl demo` has run, its sandbox still there, and what it printed.

    As in a clone, with the shipped syncs; and an empty one, with what is in the wheel and not the clone's modules.
    """
    folder = tmp_path_factory.mktemp("readme")
    environment = {"REVERSE_ETL_HOME": ""}
    if request.param == "clone":
        shutil.copytree(ROOT / "syncs", folder / "syncs")
    else:
        environment["PYTHONPATH"] = str(unpacked_wheel(tmp_path_factory.mktemp("wheel")))
    (folder / ".venv").symlink_to(sys.prefix)
    # Another program has the port that the demo would take.
    with running_sandbox() as other:
        environment |= {"CUSTOMERIO_TRACK_URL": other.url, "CUSTOMERIO_APP_URL": other.url}
        project = Project(folder, environment)
        done = project.command(COMMAND, "demo")
        assert 0 == done.returncode, done.stdout + done.stderr
        assert 0 == other.counts()["requests"], "the demo used a sandbox that it did not start"
    project.environment |= dict(re.findall(r"export (\w+)=(\S+)", done.stdout))
    yield project, done.stdout
    demo_sandbox(project).stop()


def demo_sandbox(project: Project) -> DemoSandbox:
    """The sandbox of the project's demo."""
    return DemoSandbox(**json.loads((project.folder / ".reverse_etl" / "demo_sandbox.json").read_text()))


def test_the_demo_plays_three_acts(after_the_demo: tuple[Project, str]) -> None:
    """Good rows arrive and each bad one is shown with its reason; mended they complete; then three rows are read."""
    project, shown = after_the_demo
    shop = project.folder / ".reverse_etl" / "shop.db"
    must = expected(shop)
    url = demo_sandbox(project).url
    arrived = {person["id"] for person in httpx.get(f"{url}/_sandbox/people").json()}
    assert must.people.keys() == arrived
    assert must.companies.keys() == {row["object_id"] for row in httpx.get(f"{url}/_sandbox/objects").json()}
    assert (4, 4) == (shown.count("equal to the shop's good rows"), shown.count("equal to the shop\n"))
    ends = re.findall(r"^(\w+): (\w+) in", shown, re.MULTILINE)
    assert [
        ("companies", "completed"),
        ("customers", "some_rows_failed"),
        ("customers", "completed"),
        ("customers", "completed"),
    ] == ends
    assert "3 rows read, 3 delivered" in shown
    create_shop(shop.with_name("first.db"))
    failures = expected(shop.with_name("first.db")).failures
    assert 7 == len(failures)
    for failure in failures:
        assert re.search(rf"\b{failure.row_number:,} .*{failure.query}.*{failure.reason}", shown)


def test_the_picture_shows_what_the_demo_prints_today(tmp_path: Path) -> None:
    """But for times, run ids and the port: `python -m reverse_etl_tests.e2e.pictures` takes it again."""
    assert "](docs/images/demo.svg)" in README
    assert "](images/demo.svg)" in (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert words_of(drawn(demo_shown(tmp_path))) == words_of(PICTURE.read_text(encoding="utf-8"))


def test_the_demo_says_what_to_do_next(after_the_demo: tuple[Project, str]) -> None:
    """Each command of its last lines works when they are typed one after the other."""
    project, shown = after_the_demo
    after = shown.partition("Next, in this folder")[2]
    lines = [line[2:48].strip() for line in after.splitlines() if line.startswith("  ")]
    assert 4 <= sum(line.startswith("reverse-etl") for line in lines)
    done = typed(project, [line for line in lines if line != "reverse-etl ui"])
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "accepted_values_plan" in done.stdout


def test_the_commands_after_the_demo_work(after_the_demo: tuple[Project, str]) -> None:
    """Typed one after the other; those that start the UI are tested in a browser."""
    project, _ = after_the_demo
    shown = [*commands(START), *commands(README)]
    lines = [line for line in shown if not line.startswith(("git", "make")) and line != "reverse-etl ui"]
    assert 12 <= len(lines)
    done = typed(project, [". .venv/bin/activate", *lines])
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "DEBUG" not in done.stderr
    # Dagster's command leaves its run where the UI looks for it.
    (run_id,) = set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", done.stderr))
    assert (project.folder / ".reverse_etl" / "dagster" / "history" / "runs" / f"{run_id}.db").exists()


@pytest.mark.parametrize("after_the_demo", ["clone"], indirect=True)
def test_the_demo_can_be_run_again(after_the_demo: tuple[Project, str]) -> None:
    """A second demo ends its own sandbox, starts an empty one there, and ends the same."""
    project, _ = after_the_demo
    before = demo_sandbox(project)
    done = project.command(COMMAND, "demo")
    assert 0 == done.returncode, done.stdout + done.stderr
    assert (before.url, True) == (demo_sandbox(project).url, before.name != demo_sandbox(project).name)


def typed(project: Project, lines: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs lines in one shell, in the project's folder; the first that fails ends it."""
    environment = project.env()
    for name in ("CUSTOMERIO_SITE_ID", "CUSTOMERIO_TRACK_API_KEY", "CUSTOMERIO_APP_API_KEY"):
        del environment[name]
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    return subprocess.run(
        ["bash", "-ec", "\n".join(lines)],
        cwd=project.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def unpacked_wheel(folder: Path) -> Path:
    """The modules and files of the wheel."""
    project = Project(ROOT)
    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), ".")
    done = project.command(sys.executable, *build)
    assert 0 == done.returncode, done.stderr
    (wheel,) = folder.glob("*.whl")
    assert wheel.name in START
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "modules")
    return folder / "modules"


@pytest.mark.parametrize("line", [line for line in commands(README) + commands(START) if line.startswith("make")])
def test_each_make_target_exists(line: str) -> None:
    """The pages' make targets are targets of the Makefile."""
    project = Project(ROOT)
    assert 0 == project.command("make", "--dry-run", *shlex.split(line)[1:]).returncode


def test_the_readme_fits_two_screens() -> None:
    """Of text: lines that are not a table's or a picture's are short enough to stand in a terminal."""
    lines = README.splitlines()
    assert 110 >= len(lines)
    assert [] == [line for line in lines if 112 < len(line) and line[0] not in "|!"]


def test_the_python_example_runs(after_the_demo: tuple[Project, str]) -> None:
    """The page's file, as it stands there, loads, and its assets materialize by the page's command."""
    project, _ = after_the_demo
    name = "assets.py"
    (example,) = [block for block in blocks(DAGSTER, "python") if block.startswith(f"# {name}")]
    (project.folder / name).write_text(example)
    (line,) = [line for line in commands(DAGSTER) if name in line]
    program, *arguments = shlex.split(line)
    project.environment["DAGSTER_HOME"] = str(project.folder / ".reverse_etl" / "dagster")
    done = project.command(str(Path(sys.executable).with_name(program)), *arguments)
    assert 0 == done.returncode, done.stderr
    listed = project.command(str(Path(sys.executable).with_name("dagster")), "job", "list", "-f", name)
    assert {"Job: companies", "Job: customers"} <= set(listed.stdout.splitlines()), listed.stderr
