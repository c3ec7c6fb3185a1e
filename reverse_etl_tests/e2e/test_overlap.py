"""One run per workspace, whoever starts it; and what becomes of a run that is killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest

from reverse_etl.report import Status
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.store import open_store
from reverse_etl_tests import warm
from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.dagster_ui import running_ui
from reverse_etl_tests.servers.sandbox import RunningSandbox, wait_until
from reverse_etl_tests.warm import Running

pytestmark = pytest.mark.thorough

WAITS = "{every: 1h, start_at: 2030-01-01T00:00:00Z, overlap: wait}"
SLOW = {"match": {"path": "/api/v2/batch"}, "always": True, "do": {"delay_s": 60}}


@pytest.fixture
def busy(project: Project, sandbox: RunningSandbox) -> Iterator[Project]:
    """A project of two syncs whose workspace does not answer before it is released."""
    project.write("orders.yaml", people())
    sandbox.faults([SLOW])
    yield project
    sandbox.clear_faults()


def started(project: Project, sync: str) -> Running:
    """`reverse-etl run` in progress, a process group of its own, with its run in the history."""
    process = warm.started("run", sync, folder=project.folder, environment=project.env())
    wait_until(lambda: is_running(project, sync), timeout_s=60)
    return process


def is_running(project: Project, sync: str) -> bool:
    """Whether a run of a sync is in the history, and has not ended."""
    store = open_store(Home(project.folder / "home").state_url)
    return any(run.status is Status.RUNNING for run in list_runs(store, sync))


def history(project: Project, sync: str) -> list[dict[str, Any]]:
    """The runs, newest first."""
    shown = project.reverse_etl("history", sync, "--json").stdout
    return list(json.loads(shown)) if shown else []


def statuses(project: Project, sync: str) -> list[str]:
    """How the runs ended, newest first."""
    return [run["status"] for run in history(project, sync)]


def test_a_second_run_is_skipped_and_says_for_which(busy: Project, sandbox: RunningSandbox) -> None:
    """Exit 6, nothing sent, `skipped` in the history; after kill -9 the workspace is free at once."""
    process = started(busy, "people")
    (first,) = history(busy, "people")
    code, report = busy.run("orders")
    assert (6, "skipped", 0) == (code, report["status"], report["rows"]["extracted"])
    assert f"run {first['run_id'][:8]} of people is in progress in workspace main" in report["message"]
    assert ["skipped"] == statuses(busy, "orders")
    done = busy.command(
        *(str(Path(sys.executable).with_name("dagster")), "job", "execute"),
        *("-m", "reverse_etl.definitions", "-j", "orders"),
    )
    assert 0 != done.returncode
    assert "is in progress in workspace main" in done.stderr
    assert ["skipped", "skipped"] == statuses(busy, "orders")

    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert ["failed"] == statuses(busy, "people")
    sandbox.clear_faults()
    code, report = busy.run("orders")
    assert (0, 3) == (code, report["rows"]["delivered"])


def test_a_sync_beside_itself_sends_each_row_once(project: Project, sandbox: RunningSandbox) -> None:
    """Of two processes of one sync the second is skipped; the first delivers everybody, in one request."""
    sandbox.faults([{"match": SLOW["match"], "times": 1, "do": {"delay_s": 9}}])
    process = started(project, "people")
    code, report = project.run("people")
    assert (6, "skipped", 0) == (code, report["status"], report["rows"]["extracted"])
    assert 0 == process.wait(60)

    assert ["skipped", "completed"] == statuses(project, "people")
    assert {"1", "2", "3"} == {person["id"] for person in sandbox.people()}
    assert 1 == sum(request["path"] == "/api/v2/batch" for request in sandbox.requests())


def test_runs_without_a_queue_wait_for_the_lease_and_then_run(busy: Project, sandbox: RunningSandbox) -> None:
    """Both commands say at once for whom they wait; when that run is over, one after the other delivers everybody."""
    for sync in ("waits", "waits_too"):
        busy.write(f"{sync}.yaml", people().replace("manual", WAITS))
    process = started(busy, "people")
    (first,) = history(busy, "people")
    with (
        waiting(busy, "reverse-etl", "run", "waits", "--json") as (ours, our_log),
        waiting(busy, "dagster", "job", "execute", "-m", "reverse_etl.definitions", "-j", "waits_too") as (theirs, log),
    ):
        said = f"run {first['run_id'][:8]} of people is in progress in workspace main since "
        assert f"waits: Waits for the workspace: {said}" in our_log.read_text()
        assert our_log.read_text().endswith(" UTC.\n")
        assert f"Waits for the workspace: {said}" in log.read_text()
        assert [None, None] == [ours.poll(), theirs.poll()]
        sandbox.clear_faults()
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert [0, 0] == [ours.wait(60), theirs.wait(60)]
        assert ours.stdout is not None
        assert 3 == json.load(ours.stdout)["rows"]["delivered"]
    assert [["completed"], ["completed"]] == [statuses(busy, sync) for sync in ("waits", "waits_too")]
    assert {"1", "2", "3"} == {person["id"] for person in sandbox.people()}


def test_ctrl_c_ends_the_waiting(busy: Project, sandbox: RunningSandbox) -> None:
    """In the history it is canceled, nothing was read or sent, and the run that it waited for goes on."""
    busy.write("waits.yaml", people().replace("manual", WAITS))
    process = started(busy, "people")
    with waiting(busy, "reverse-etl", "run", "waits") as (waits, log):
        waits.send_signal(signal.SIGINT)
        assert 130 == waits.wait(60)
    assert "the run was canceled while waiting for the workspace. Nothing was read or sent." in log.read_text()
    assert "Traceback" not in log.read_text()
    (canceled,) = history(busy, "waits")
    assert ("canceled", 0) == (canceled["status"], canceled["rows"]["extracted"])
    assert ["running"] == statuses(busy, "people")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@contextlib.contextmanager
def waiting(project: Project, *command: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A command that has said that it waits, and what it writes to stderr."""
    log = project.folder / f"{command[-1]}.log"
    program = Path(sys.executable).with_name(command[0])
    environment = project.env() | {"REVERSE_ETL_SYNCS": str(project.folder / "syncs")}
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [str(program), *command[1:]],
            cwd=project.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "Waits for the workspace" in log.read_text(), timeout_s=60)
        yield process, log
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_after_the_whole_machine_died_dagster_ends_the_run(busy: Project, sandbox: RunningSandbox) -> None:
    """UI, daemon, code server and run killed at once; started again, the daemon ends the run and the next one runs."""
    shipped = (files("reverse_etl.defs") / "dagster.yaml").read_text()
    home = busy.folder / "home" / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(shipped.replace("poll_interval_seconds: 30", "poll_interval_seconds: 1"))
    with running_ui(busy.folder, busy.env()) as url:
        run_id = _launch(url, "people")
        wait_until(lambda: is_running(busy, "people"), timeout_s=60)
        _kill_everything(busy)
    sandbox.clear_faults()
    with running_ui(busy.folder, busy.env()) as url:
        wait_until(lambda: _status(url, run_id) == "FAILURE", timeout_s=100)
        assert ["failed"] == statuses(busy, "people")
        again = _launch(url, "people")
        wait_until(lambda: _status(url, again) == "SUCCESS", timeout_s=100)
    assert ["completed", "failed"] == statuses(busy, "people")


def test_a_backfill_and_a_run_are_in_each_others_way(project: Project, sandbox: RunningSandbox) -> None:
    """One backfill has the workspace: a second one and a scheduled run are skipped for it, and say so."""
    project.write("orders.yaml", people())
    project.write("due.yaml", people().replace("manual", "{every: 1m, start_at: 2026-01-05T00:00:00Z}"))
    assert 0 == project.reverse_etl("pause", "due").returncode
    sandbox.faults([{**SLOW, "do": {"delay_s": 300}}])
    with running_ui(project.folder, project.env()) as url:
        first = _backfill(url, "people")
        wait_until(lambda: is_running(project, "people"), timeout_s=60)
        assert 0 == project.reverse_etl("resume", "due").returncode
        second = _backfill(url, "orders")
        wait_until(lambda: "skipped" in statuses(project, "orders"), timeout_s=60)
        (working,), (late,) = _runs(url, first), _runs(url, second)
        wait_until(lambda: "skipped" in statuses(project, "due"), timeout_s=130)
        sandbox.clear_faults()
    assert ("__ASSET_JOB", "STARTED", "people", "running") == working[1:]
    assert ("__ASSET_JOB", "CANCELED", "orders", "skipped") == late[1:]
    reason = f"Skipped: people is in progress in main (run {working[0][:8]})."
    assert {reason} == {history(project, sync)[0]["message"] for sync in ("orders", "due")}


def _backfill(url: str, sync: str) -> str:
    """What Dagster's UI asks for where assets are backfilled; its id."""
    assets = [{"path": [sync, f"{sync}_{stage}"]} for stage in ("changeset", "validated", "delivery")]
    query = (
        "mutation B($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {"
        " ... on LaunchBackfillSuccess { backfillId } } }"
    )
    return str(
        _ask(url, query, p={"assetSelection": assets, "allPartitions": True})["launchPartitionBackfill"]["backfillId"]
    )


def _runs(url: str, backfill: str) -> list[tuple[str, ...]]:
    """A backfill's runs: id, job, status, and the tags of sync and status."""
    query = (
        "query R($f: RunsFilter!) { runsOrError(filter: $f) {"
        " ... on Runs { results { id pipelineName status tags { key value } } } } }"
    )
    found = _ask(url, query, f={"tags": [{"key": "dagster/backfill", "value": backfill}]})["runsOrError"]["results"]
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in found]
    return [
        (run["id"], run["pipelineName"], run["status"], own["reverse_etl/sync"], own["reverse_etl/status"])
        for run, own in zip(found, tags, strict=True)
    ]


def _ask(url: str, query: str, **variables: object) -> Any:
    return httpx.post(f"{url}/graphql", json={"query": query, "variables": variables}, timeout=30).json()["data"]


def _launch(url: str, job: str) -> str:
    where = {"repositoryLocationName": "reverse_etl", "repositoryName": "__repository__", "pipelineName": job}
    query = (
        "mutation L($p: ExecutionParams!) { launchRun(executionParams: $p) { ... on LaunchRunSuccess { run { id } } } }"
    )
    answer = _ask(url, query, p={"selector": where, "runConfigData": {}, "mode": "default"})
    return str(answer["launchRun"]["run"]["id"])


def _status(url: str, run_id: str) -> str:
    answer = _ask(url, "query R($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id)
    return str(answer["runOrError"]["status"])


def _kill_everything(project: Project) -> None:
    """SIGKILL to every process that was started with this project's home folder."""
    mark = f"REVERSE_ETL_HOME={project.folder / 'home'}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (process / "environ").read_bytes().split(b"\0") and int(process.name) != os.getpid():
                os.kill(int(process.name), signal.SIGKILL)
