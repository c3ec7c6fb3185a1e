"""A file that is written while `reverse-etl ui` runs: Dagster loads it, and no run in progress is disturbed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reverse_etl.cli.launching import launch
from reverse_etl.cli.reloading import LOADED
from reverse_etl.errors import StateError
from reverse_etl_tests.e2e.test_resume import PEOPLE, SLOW, batches, history, sent, slow
from reverse_etl_tests.leaving_out import leaves_out
from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.dagster_ui import running_ui
from reverse_etl_tests.servers.sandbox import RunningSandbox, wait_until

__all__ = ["slow"]

pytestmark = pytest.mark.thorough

ONE = "SELECT 'o' || id AS id, email FROM customers WHERE id = '1'"
LONG_S = 180
"""For the sensor's next minute, on a busy machine."""


def in_dagster(project: Project) -> str:
    """Whether Dagster has the new sync, as `status` says."""
    (found,) = [each for each in json.loads(project.reverse_etl("status", "--json").stdout) if each["sync"] == "orders"]
    return str(found["in_dagster"])


def test_ui_starts_with_a_faulty_file_and_loads_the_others_once_it_is_mended(project: Project) -> None:
    """Its screen names the problem and what does not run; the job is there without another start."""
    broken = project.folder / "syncs" / "broken.yaml"
    broken.write_text((project.folder / "syncs" / "people.yaml").read_text().replace("workspace:", "workspce:", 1))
    with running_ui(project.folder, project.env()) as url:
        log = project.folder / "ui.log"
        wait_until(lambda: "starts no run until the files are mended" in log.read_text(), timeout_s=LONG_S, every_s=0.1)
        assert "One faulty file stops every sync of its folder" in log.read_text()
        assert "Traceback" not in log.read_text()
        with pytest.raises(StateError, match="no job named people"):
            launch(url, "people")
        broken.unlink()
        wait_until(lambda: LOADED in log.read_text(), timeout_s=LONG_S, every_s=0.1)
        assert launch(url, "people")


def test_ui_starts_with_a_faulty_file_and_runs_the_others(slow: Project, sandbox: RunningSandbox) -> None:
    """Its screen names the problem and what does not run; the faulty sync's job fails with the line, and is mended."""
    sandbox.clear_faults()
    right = people("SELECT 'o1' AS id")
    leaves_out(slow.folder / "syncs")
    slow.write("broken.yaml", right.replace("workspace:", "workspce:", 1))
    with running_ui(slow.folder, slow.env()) as url:
        log = slow.folder / "ui.log"
        wait_until(lambda: "its daemon runs the schedules" in log.read_text(), timeout_s=LONG_S, every_s=0.1)
        assert "Left out until the files are mended: broken." in log.read_text()
        assert "Traceback" not in log.read_text()
        launch(url, "people")
        failed = launch(url, "broken")
        wait_until(lambda: bool(runs_of(slow, "broken")), timeout_s=LONG_S, every_s=1)
        (run,) = runs_of(slow, "broken")
        assert (failed, "failed", 2) == (run["run_id"], run["status"], run["exit_code"])
        assert "the sync is left out: its own file is faulty: " in run["message"]
        assert "broken.yaml:2: workspce: unknown key" in run["message"]
        wait_until(lambda: history(slow)[0]["status"] == "completed", timeout_s=LONG_S, every_s=1)
        assert LOADED not in log.read_text()
        slow.write("broken.yaml", right)
        wait_until(lambda: LOADED in log.read_text(), timeout_s=LONG_S, every_s=0.1)
        launch(url, "broken")
        wait_until(lambda: "o1" in {person["id"] for person in sandbox.people()}, timeout_s=LONG_S, every_s=1)


def runs_of(project: Project, sync: str) -> list[dict[str, Any]]:
    """The runs of a sync, the newest first."""
    found: list[dict[str, Any]] = json.loads(project.reverse_etl("history", sync, "--json").stdout)
    return found


def test_a_new_file_is_loaded_while_a_run_is_in_progress(slow: Project, sandbox: RunningSandbox) -> None:
    """Its schedule is there; the run that was in progress sends everyone once."""
    sandbox.clear_faults()
    sandbox.faults([{**SLOW, "do": {"delay_s": 15}}])
    with running_ui(slow.folder, slow.env()) as url:
        run_id = launch(url, "people")
        wait_until(lambda: len(batches(sandbox)) >= 1, timeout_s=LONG_S, every_s=0.1)
        slow.write("orders.yaml", people(ONE).replace("schedule: manual", "schedule: {every: 1m}"))
        log = slow.folder / "ui.log"
        wait_until(lambda: LOADED in log.read_text(), timeout_s=LONG_S, every_s=0.1)
        assert len(batches(sandbox)) < PEOPLE // 5
        sandbox.clear_faults()
        wait_until(lambda: history(slow)[0]["status"] == "completed", timeout_s=LONG_S, every_s=1)
        assert (run_id, PEOPLE) == (history(slow)[0]["run_id"], history(slow)[0]["rows"]["delivered"])
        assert {1} == {times for person, times in sent(sandbox).items() if not person.startswith("o")}
        wait_until(lambda: in_dagster(slow) == "loaded", timeout_s=LONG_S, every_s=2)
