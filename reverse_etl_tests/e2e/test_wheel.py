"""The wheel, installed with each Python of this machine that it is for, in an environment that has nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reverse_etl.cli.demo_sandbox import DemoSandbox
from reverse_etl_tests.project import Project, fill
from reverse_etl_tests.servers.dagster_ui import running_ui

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13")


def interpreters() -> dict[str, str]:
    """The path of each Python that is there, by its version: on PATH, or one of pyenv's; that of the tests is."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = {own: sys.executable}
    for version in VERSIONS:
        paths = [*sorted(pyenv.glob(f"{version}.*/bin/python{version}")), shutil.which(f"python{version}")]
        for path in filter(None, paths):
            if version not in found and subprocess.run([path, "-V"], capture_output=True, check=False).returncode == 0:
                found[version] = str(path)
    return found


FOUND = interpreters()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what the repository has, so that no build of another process is met."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    shutil.copytree(ROOT / "reverse_etl", copy / "reverse_etl", ignore=shutil.ignore_patterns("__pycache__"))
    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), ".")
    done = Project(copy).command(sys.executable, *build)
    assert 0 == done.returncode, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session", params=list(FOUND))
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel: Path
) -> tuple[str, Path]:
    """A Python's version, and the command in an environment that has the wheel and one driver."""
    environment = tmp_path_factory.mktemp("installed")
    python = str(environment / "bin" / "python")
    for command in (
        ("venv", "--quiet", "--clear", "--python", FOUND[request.param], str(environment)),
        ("pip", "install", "--quiet", "--python", python, f"{wheel}[postgres]"),
    ):
        uv = Path(sys.executable).with_name("uv")
        done = subprocess.run([uv, *command], capture_output=True, text=True, check=False, cwd=environment)
        assert 0 == done.returncode, done.stderr
    return request.param, environment / "bin" / "reverse-etl"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty folder."""
    yield Project(tmp_path, {"REVERSE_ETL_HOME": ""})
    if (started := tmp_path / ".reverse_etl" / "demo_sandbox.json").exists():
        DemoSandbox(**json.loads(started.read_text())).stop()


def test_the_versions_are_those_of_the_package() -> None:
    """They begin with that of `requires-python`, and the one that runs the tests is among them."""
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'requires-python = ">={VERSIONS[0]}"' in pyproject
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in FOUND


def test_the_demo_works_in_an_empty_folder(installed: tuple[str, Path], project: Project) -> None:
    """What it needs is in the wheel: syncs, the sample shop, Dagster's settings, migrations, the sandbox's page."""
    version, program = installed
    assert project.command(str(program), "version").stdout.startswith("reverse-etl ")
    done = project.command(str(program), "demo", timeout=170)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert 4 == done.stdout.count("equal to the shop\n")
    project.environment |= dict(re.findall(r"export (\w+)=(\S+)", done.stdout))
    report = json.loads(project.command(str(program), "doctor", "--json").stdout)
    found = {entry["name"]: entry["value"] for entry in report}
    assert found["Python"].startswith(f"{version}.")
    assert ("not installed", True) == (found["extra mysql"], found["extra postgres"].startswith("dagster-postgres"))


def test_a_sync_of_ones_own_is_made_and_shown(installed: tuple[str, Path], project: Project) -> None:
    """`init` asks for it, `validate` and an own program take it, and `ui` loads it."""
    _, program = installed
    fill(project.folder / "shop.db", [("1", "a@example.com", "free")])
    sync = ("people", "people", "id", "customers", "", "email, plan", "updated_at", "manual")
    typed = "\n".join(("", "sqlite", "", "../shop.db", "", "customerio", "", "live", "us", *sync, ""))
    done = subprocess.run(
        [program, "init"],
        cwd=project.folder,
        env=project.env(),
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert 0 == project.command(str(program), "validate").returncode
    (project.folder / "own.py").write_text("import reverse_etl\nreverse_etl.build_definitions()\n")
    assert 0 == project.command(str(program.with_name("python")), "own.py").returncode
    with running_ui(project.folder, project.env(), program=program) as url:
        assert "dagster_webserver_version" in httpx.get(f"{url}/server_info").text
