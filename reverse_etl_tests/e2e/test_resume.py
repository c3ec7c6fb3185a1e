"""After `kill -9`, Ctrl-C or a failure a run goes on where it stopped: nothing acknowledged is sent again."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from reverse_etl_tests.e2e.in_progress import batches, history, re_executed, sent, started
from reverse_etl_tests.project import Project, fill
from reverse_etl_tests.servers.sandbox import RunningSandbox, wait_until

pytestmark = pytest.mark.thorough

PEOPLE = 60
SLOW = {"match": {"path": "/api/v2/batch"}, "always": True, "do": {"delay_s": 0.05}}


@pytest.fixture
def slow(project: Project, sandbox: RunningSandbox) -> Project:
    """Sixty people, five a request, two requests at once, each answered after 50 ms."""
    fill(project.folder / "shop.db", [(str(n), f"p{n}@example.com", "free") for n in range(1, PEOPLE + 1)])
    path = project.folder / "syncs" / "connections.yaml"
    path.write_text(path.read_text() + "    max_items_per_request: 5\n    max_requests_in_flight: 2\n")
    sandbox.faults([SLOW])
    return project


def killed(project: Project, sandbox: RunningSandbox) -> None:
    """A run ended with SIGKILL when four requests were answered."""
    process = started(project)
    wait_until(lambda: len(batches(sandbox)) >= 4, timeout_s=60)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_second_run_after_kill_9_sends_only_the_rest(slow: Project, sandbox: RunningSandbox) -> None:
    """Everyone arrives; at most two requests are sent twice; the next run reads from the first one's start."""
    before = int(time.time())
    killed(slow, sandbox)
    between = int(time.time()) + 1
    wait_until(lambda: time.time() > between)
    code, report = slow.run("people")
    assert (0, "completed", PEOPLE) == (code, report["status"], report["rows"]["delivered"])
    twice = [each for each, times in sent(sandbox).items() if times > 1]
    assert PEOPLE == len(sent(sandbox))
    assert len(twice) <= 2 * 5
    assert before <= report["last_sync_time"] < between
    newest, first = history(slow)
    assert ("completed", "failed") == (newest["status"], first["status"])
    assert newest["run_id"][:8] in first["message"]


def test_full_never_goes_on_with_an_earlier_run(slow: Project, sandbox: RunningSandbox) -> None:
    """`--full` reads and sends everyone again; the run whose process is gone is not `running` in the history."""
    killed(slow, sandbox)
    before = len(batches(sandbox))
    code, report = slow.run("people", "--full")
    assert (0, PEOPLE) == (code, report["rows"]["delivered"])
    assert before + PEOPLE // 5 <= len(batches(sandbox))
    newest, first = history(slow)
    assert ("completed", "failed") == (newest["status"], first["status"])
    assert f"{newest['run_id'][:8]} reads the rows again" in first["message"]


def test_a_full_run_that_was_killed_does_not_promise_another_reading(slow: Project, sandbox: RunningSandbox) -> None:
    """The next run reads what changed since the one before it: the history says how to read everything."""
    assert 0 == slow.run("people")[0]
    before = len(batches(sandbox))
    process = started(slow, "--full")
    wait_until(lambda: len(batches(sandbox)) >= before + 4, timeout_s=60)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert 0 == slow.run("people")[0]
    newest, gone, _ = history(slow)
    assert ("completed", "failed") == (newest["status"], gone["status"])
    assert f"{newest['run_id'][:8]} reads only what changed since last sync time" in gone["message"]
    assert "run with --full" in gone["message"]


def test_a_changed_sync_does_not_go_on_with_the_old_rows(slow: Project, sandbox: RunningSandbox) -> None:
    """What the file asks for now is read: a new attribute reaches everyone."""
    killed(slow, sandbox)
    path = slow.folder / "syncs" / "people.yaml"
    path.write_text(path.read_text().replace("plan FROM", "plan, 1 AS again FROM"))
    code, _ = slow.run("people")
    assert (0, {1}) == (code, {person["attributes"].get("again") for person in sandbox.people()})


def test_ctrl_c_finishes_what_is_in_flight_and_keeps_a_true_ledger(slow: Project, sandbox: RunningSandbox) -> None:
    """Without a wait: no new request, canceled, last sync time stays, what the ledger calls delivered was taken."""
    sandbox.clear_faults()
    sandbox.faults([{**SLOW, "do": {"delay_s": 0.5}}])
    process = started(slow)
    wait_until(lambda: len(batches(sandbox)) >= 2, timeout_s=60)
    process.send_signal(signal.SIGINT)
    asked_at = time.monotonic()
    process.communicate(timeout=60)
    assert time.monotonic() - asked_at < 30
    (run,) = history(slow)
    taken = sum(sent(sandbox).values())
    assert ("canceled", 0) == (run["status"], run["last_sync_time"])
    assert (taken, PEOPLE - taken) == (run["rows"]["delivered"], run["rows"]["undelivered"])
    sandbox.clear_faults()
    code, report = slow.run("people")
    assert (0, PEOPLE) == (code, report["rows"]["delivered"])
    assert {1} == set(sent(sandbox).values())


@pytest.mark.parametrize("ended", ["killed", "refused"])
def test_dagster_re_executes_from_the_failed_step(slow: Project, sandbox: RunningSandbox, ended: str) -> None:
    """As its run monitoring and run retries do: same rows, nothing acknowledged sent again, counted as attempt 2."""
    slow.environment["DAGSTER_HOME"] = str(slow.folder / "home" / "dagster")
    if ended == "killed":
        killed(slow, sandbox)
    else:
        sandbox.clear_faults()
        sandbox.faults([{"match": {"path": "/api/v2/batch"}, "skip": 4, "times": 1, "do": {"status": 401}}, SLOW])
        slow.run("people")
    (first,) = history(slow)
    sandbox.clear_faults()
    refuse = {"refuse_items": {"ids": [str(PEOPLE)]}}
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": refuse}])
    done = re_executed(slow, first["run_id"])
    assert "people__people_delivery" == done.stdout.strip(), done.stderr
    newest, first = history(slow)
    assert ("some_rows_failed", "failed") == (newest["status"], first["status"])
    counts = [newest["rows"][name] for name in ("extracted", "delivered", "refused", "undelivered")]
    assert [PEOPLE, PEOPLE - 1, 1, 0] == counts
    with Path(newest["failed_rows_csv"]).open(newline="") as file:
        assert [(str(PEOPLE), "2")] == [(row["identifier"], row["attempt"]) for row in csv.DictReader(file)]
    twice = [each for each, times in sent(sandbox).items() if times > 1]
    assert len(twice) <= (2 * 5 if ended == "killed" else 0)
    assert PEOPLE == len(sandbox.people()) + 1


def test_a_run_that_failed_in_the_middle_is_continued(slow: Project, sandbox: RunningSandbox) -> None:
    """Credentials refused after four requests; the next run sends the rest, and the one after it what changed since."""
    sandbox.clear_faults()
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "skip": 4, "times": 1, "do": {"status": 401}}, SLOW])
    code, report = slow.run("people")
    assert (5, "failed") == (code, report["status"])
    assert 0 < report["rows"]["delivered"] < PEOPLE
    with closing(sqlite3.connect(slow.folder / "shop.db")) as shop, shop:
        shop.execute("UPDATE customers SET plan = 'pro', updated_at = 2000000000 WHERE id = '1'")
    code, report = slow.run("people")
    assert (0, PEOPLE) == (code, report["rows"]["delivered"])
    assert {1} == set(sent(sandbox).values())
    code, report = slow.run("people")
    assert (0, 1) == (code, report["rows"]["extracted"])
    (first,) = [person for person in sandbox.people() if person["id"] == "1"]
    assert "pro" == first["attributes"]["plan"]


def test_a_tampered_ledger_does_not_reconcile(slow: Project, sandbox: RunningSandbox) -> None:
    """An outcome that no answer stands for fails the run: exit 1, last sync time stays."""
    folder = slow.folder / "home" / "changesets" / "people"
    process = started(slow)
    journals = lambda: list(folder.glob("*/rows/journal.jsonl"))  # noqa: E731
    wait_until(lambda: journals() and len(batches(sandbox)) >= 2, timeout_s=60)
    (journal,) = journals()
    os.killpg(process.pid, signal.SIGSTOP)
    line = journal.read_bytes().splitlines()[0] + b"\n"
    with journal.open("ab") as file:
        file.write(line)
    os.killpg(process.pid, signal.SIGCONT)
    out, _ = process.communicate(timeout=60)
    report = json.loads(out)
    assert (1, "failed", 0) == (process.returncode, report["status"], report["last_sync_time"])
    assert "the row outcomes do not add up" in report["message"]
