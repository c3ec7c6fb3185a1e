"""Dagster's UI in a browser: the way from table to Customer.io can be seen, and the launch button runs the sync."""

from __future__ import annotations

import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from reverse_etl.errors import INTERRUPTED_EXIT_CODE
from reverse_etl_tests.e2e.browser import opened
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.dagster_ui import PROGRAM, free_port, running_ui
from reverse_etl_tests.servers.sandbox import RunningSandbox

pytestmark = pytest.mark.thorough


@pytest.fixture
def ui(project: Project) -> Iterator[str]:
    """The UI of a project with one sync, on a screen of 80 columns."""
    project.environment["COLUMNS"] = "80"
    with running_ui(project.folder, project.env()) as url:
        yield url


def test_the_graph_shows_the_way_and_the_button_runs_the_sync(
    ui: str, project: Project, sandbox: RunningSandbox
) -> None:
    """The screen warns of nothing; all stages are drawn; "Materialize all" delivers everyone."""
    screen = (project.folder / "ui.log").read_text()
    assert f"Dagster's UI: {ui}" in screen.splitlines()[0]
    assert [] == [line for line in screen.splitlines() if "warn" in line.lower() or "superseded" in line.lower()]
    wide = [line for line in screen.splitlines() if len(line) > 80 and "DAGSTER_HOME" not in line]
    assert [] == [line for line in wide if " " in line]  # a path alone is one word
    with opened(f"{ui}/locations/reverse_etl/jobs/people") as page:
        page.get_by_text("people_validated", exact=True).first.wait_for()
        page.get_by_role("button", name="Materialize all").first.click()
        assert {"1", "2", "3"} == _arrived(sandbox, 3)
        page.goto(f"{ui}/assets/people/people_delivery?view=lineage&lineageScope=neighbors&lineageDepth=10")
        for node in ("customers", "people_changeset", "people_validated", "people_delivery", "people"):
            page.get_by_text(node, exact=True).first.wait_for()
        page.goto(f"{ui}/assets/people/people_validated?view=checks")
        page.get_by_text("identifier_present").first.wait_for()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_command_ends_dagster(project: Project, number: signal.Signals) -> None:
    """In the background of a script, where SIGINT is ignored: all that has its screen open, and so schedules too."""
    command = shlex.join([str(PROGRAM), "ui", "--port", str(free_port()), "--syncs-port", "0"])
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"trap '' INT; exec {command}"],
        cwd=project.folder,
        env=project.env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert any("its daemon runs the schedules" in line for line in process.stdout)
    process.send_signal(number)
    process.communicate(timeout=90)
    assert process.returncode == (INTERRUPTED_EXIT_CODE if number is signal.SIGTERM else -number)


def test_settings_of_dagster_that_cannot_be_used_end_it_with_a_sentence(project: Project) -> None:
    """A file that is no YAML: without it Dagster would print how its program runs."""
    own = project.folder / "home" / "dagster" / "dagster.yaml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("run_launcher: [\n")
    done = project.command(str(PROGRAM), "ui", "--port", str(free_port()), "--syncs-port", "0")
    assert (6, False) == (done.returncode, "Traceback" in done.stderr)
    assert "Dagster's settings or storage in" in done.stderr


def _arrived(sandbox: RunningSandbox, people: int) -> set[str]:
    deadline = time.monotonic() + 90
    pause = threading.Event()
    while sandbox.counts()["people"] < people and time.monotonic() < deadline:
        pause.wait(0.1)
    return {person["id"] for person in sandbox.people()}
