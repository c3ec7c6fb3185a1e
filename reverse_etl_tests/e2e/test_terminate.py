"""The terminate button of Dagster's UI ends a run as Ctrl-C does: in order, with its ledger written."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from reverse_etl_tests.e2e.test_resume import PEOPLE, SLOW, batches, history, sent, slow
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.dagster_ui import running_ui
from reverse_etl_tests.servers.sandbox import RunningSandbox, wait_until

__all__ = ["slow"]

pytestmark = pytest.mark.thorough

LAUNCH = """mutation { launchRun(executionParams: {runConfigData: {}, selector: {
    repositoryLocationName: "reverse_etl", repositoryName: "__repository__", jobName: "people"}}) {
    ... on LaunchRunSuccess { run { runId } } } }"""
TERMINATE = 'mutation { terminateRun(runId: "%s", terminatePolicy: SAFE_TERMINATE) { __typename } }'


def asked(url: str, query: str) -> dict[str, Any]:
    """What the page's buttons ask for."""
    answer = httpx.post(f"{url}/graphql", json={"query": query}, timeout=30).json()
    assert "errors" not in answer, answer
    return dict(answer["data"])


def test_terminate_finishes_what_is_in_flight_and_keeps_a_true_ledger(slow: Project, sandbox: RunningSandbox) -> None:
    """Without a wait: canceled in the history, rows taken are delivered, last sync time stays; the next run goes on."""
    sandbox.clear_faults()
    sandbox.faults([{**SLOW, "do": {"delay_s": 0.5}}])
    with running_ui(slow.folder, slow.env()) as url:
        run_id = asked(url, LAUNCH)["launchRun"]["run"]["runId"]
        wait_until(lambda: len(batches(sandbox)) >= 2, timeout_s=90)
        asked_at = time.monotonic()
        assert "TerminateRunSuccess" == asked(url, TERMINATE % run_id)["terminateRun"]["__typename"]
        status = f'{{ runOrError(runId: "{run_id}") {{ ... on Run {{ status }} }} }}'
        wait_until(lambda: "CANCELED" == asked(url, status)["runOrError"]["status"], timeout_s=60)
        assert time.monotonic() - asked_at < 30
    (run,) = history(slow)
    taken = sum(sent(sandbox).values())
    assert (run_id, "canceled", 0) == (run["run_id"], run["status"], run["last_sync_time"])
    assert (taken, PEOPLE - taken) == (run["rows"]["delivered"], run["rows"]["undelivered"])
    sandbox.clear_faults()
    code, report = slow.run("people")
    assert (0, PEOPLE) == (code, report["rows"]["delivered"])
    assert {1} == set(sent(sandbox).values())
