"""Two machines, each with its home folder, share state and storage: the other continues what one began."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reverse_etl.files.storage import Storage
from reverse_etl.ledger.journal import whole_lines
from reverse_etl_tests import warm
from reverse_etl_tests.e2e.in_progress import batches, history, re_executed, sent, started
from reverse_etl_tests.project import Project, fill
from reverse_etl_tests.servers.s3 import RunningS3, running_s3
from reverse_etl_tests.servers.sandbox import RunningSandbox, wait_until

pytestmark = pytest.mark.thorough

PEOPLE = 100
A_REQUEST = 5
LOAD = """
import dagster as dg
from pathlib import Path
from reverse_etl.config.loader import load_project
from reverse_etl.definitions import build_definitions
defs = build_definitions(load_project(Path("syncs")))
with dg.DagsterInstance.get() as instance:
    frame = defs.load_asset_value(dg.AssetKey(["people", "people_validated"]), instance=instance)
print(len(frame))
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[RunningS3]:
    """One server for these tests."""
    with running_s3() as server:
        yield server


@dataclass(slots=True)
class Machines:
    """The same syncs on two machines, and the place that they share."""

    one: Project
    other: Project
    storage: Storage

    def acknowledged(self) -> set[int]:
        """Numbers of the rows with an outcome in the pieces of the journal."""
        names = [name for name in self.storage.names("changesets") if "/rows/journal/" in name]
        pieces = self.storage.read_all([f"changesets/{name}" for name in names])
        said = [json.loads(line[9:]) for piece in pieces for line in whole_lines(piece)]
        return {row for line in said for first, last in line["rows"] for row in range(first, last + 1)}


@pytest.fixture(params=["s3", "folder"])
def machines(request: pytest.FixtureRequest, project: Project, sandbox: RunningSandbox, s3: RunningS3) -> Machines:
    """A hundred people, five a request, two requests at once, each answered after half a second."""
    fill(project.folder / "shop.db", [(str(n), f"p{n}@example.com", "free") for n in range(1, PEOPLE + 1)])
    path = project.folder / "syncs" / "connections.yaml"
    path.write_text(path.read_text() + f"    max_items_per_request: {A_REQUEST}\n    max_requests_in_flight: 2\n")
    shared = s3.env(project.folder.name) if request.param == "s3" else {}
    shared.setdefault("REVERSE_ETL_STORAGE_URL", str(project.folder / "shared"))
    shared["REVERSE_ETL_STATE_URL"] = f"sqlite:///{project.folder / 'state.db'}"
    shared["DAGSTER_HOME"] = str(project.folder / "dagster")
    (project.folder / "dagster").mkdir()
    one, other = (
        Project(project.folder, {**shared, "REVERSE_ETL_HOME": str(project.folder / name)}) for name in ("one", "other")
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shared.items():
            patch.setenv(name, value)
        return Machines(one, other, _opened(shared["REVERSE_ETL_STORAGE_URL"]))


def _opened(url: str) -> Storage:
    storage = Storage(url)
    storage.names("changesets")
    return storage


def slow(sandbox: RunningSandbox) -> None:
    """From now on each request is answered after half a second."""
    sandbox.clear_faults()
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"delay_s": 0.5}}])


def lost(machines: Machines, sandbox: RunningSandbox) -> set[int]:
    """A run on the one machine ended with SIGKILL; the rows whose outcomes had come to the shared place by then."""
    slow(sandbox)
    process = started(machines.one)
    wait_until(lambda: len(machines.acknowledged()) >= 4 * A_REQUEST, timeout_s=60)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    sandbox.clear_faults()
    acknowledged = machines.acknowledged()
    assert len(acknowledged) < PEOPLE
    return acknowledged


def test_another_machine_goes_on_where_one_was_lost(machines: Machines, sandbox: RunningSandbox) -> None:
    """Its next run sends what the shared journal does not know: everyone arrives, and little is sent twice."""
    acknowledged = lost(machines, sandbox)
    code, report = machines.other.run("people")
    assert (0, "completed", PEOPLE) == (code, report["status"], report["rows"]["delivered"])
    assert {str(n) for n in range(1, PEOPLE + 1)} == set(sent(sandbox))
    twice = {each for each, times in sent(sandbox).items() if times > 1}
    assert not twice & {str(row) for row in acknowledged}
    newest, first = history(machines.other)
    assert ("completed", "failed") == (newest["status"], first["status"])


def test_a_step_is_re_executed_on_another_machine(machines: Machines, sandbox: RunningSandbox) -> None:
    """As Dagster does from the failed step: nothing is read again, rows refused on either machine are in one CSV."""
    refused = {"match": {"path": "/api/v2/batch"}, "always": True, "do": {"refuse_items": {"ids": ["1", str(PEOPLE)]}}}
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "skip": 4, "times": 1, "do": {"status": 401}}, refused])
    code, report = machines.one.run("people")
    assert (5, "failed") == (code, report["status"])
    done = re_executed(machines.other, report["run_id"])
    assert "people__people_delivery" == done.stdout.strip(), done.stderr
    newest = history(machines.other)[0]
    counts = [newest["rows"][name] for name in ("extracted", "delivered", "refused", "undelivered")]
    assert [PEOPLE, PEOPLE - 2, 2, 0] == counts
    assert {1} == set(sent(sandbox).values())
    machines.one.reverse_etl("errors", "people", "--csv", "failed.csv")
    with (machines.one.folder / "failed.csv").open(newline="") as file:
        assert {"1", str(PEOPLE)} == {row["identifier"] for row in csv.DictReader(file)}
    # And once more where it began: what the other machine did is known there.
    again = re_executed(machines.one, newest["run_id"])
    assert "people__people_delivery" == again.stdout.strip(), again.stderr
    assert {1} == set(sent(sandbox).values())


def test_failed_rows_and_validated_rows_are_found_on_another_machine(
    machines: Machines, sandbox: RunningSandbox
) -> None:
    """`errors` names the shared CSV, `retry` reads it, and a downstream asset loads the rows that passed."""
    refused = {"match": {"path": "/api/v2/batch"}, "always": True, "do": {"refuse_items": {"ids": ["7"]}}}
    sandbox.faults([refused])
    code, report = machines.one.run("people")
    assert (7, 1) == (code, report["rows"]["refused"])
    assert report["failed_rows_csv"].startswith(machines.storage.address("failed_rows/people/"))
    shown = machines.other.reverse_etl("errors", "people").stdout
    assert f"failed_rows/people/{report['run_id']}.csv" in shown
    assert "no longer there" not in shown
    loaded = warm.python(LOAD, folder=machines.other.folder, environment=machines.other.env())
    assert str(PEOPLE) == loaded.stdout.strip(), loaded.stderr
    sandbox.clear_faults()
    done = machines.other.reverse_etl("retry", "people", "--json")
    assert (0, 1) == (done.returncode, json.loads(done.stdout)["rows"]["delivered"]), done.stderr
    assert PEOPLE == len(sandbox.people())


@pytest.mark.parametrize("machines", ["folder"], indirect=True)
def test_a_place_that_goes_away_stops_nothing_that_is_being_sent(machines: Machines, sandbox: RunningSandbox) -> None:
    """The run sends all, ends failed and says where its ledger lies; the next one there sends nothing again."""
    slow(sandbox)
    process = started(machines.one)
    wait_until(lambda: len(machines.acknowledged()) >= A_REQUEST, timeout_s=60)
    place = Path(machines.storage.address(""))
    place.rename(place.with_name("away"))
    place.touch()
    out, _ = process.communicate(timeout=60)
    report = json.loads(out)
    assert (PEOPLE, "failed", 0) == (report["rows"]["delivered"], report["status"], report["last_sync_time"])
    assert "shared cannot be written: Not a directory" in report["message"]
    place.unlink()
    place.with_name("away").rename(place)
    sandbox.clear_faults()
    before = len(batches(sandbox))
    code, report = machines.one.run("people")
    assert (0, "completed", PEOPLE) == (code, report["status"], report["rows"]["delivered"])
    assert before == len(batches(sandbox))
    assert PEOPLE == len(machines.acknowledged())


def test_nothing_is_sent_that_only_one_machine_knows(project: Project, sandbox: RunningSandbox, s3: RunningS3) -> None:
    """A place that refuses the rows ends the run before the first request, with what to look at."""
    project.environment |= {**s3.env("x"), "REVERSE_ETL_STORAGE_URL": "s3://nobodys/x"}
    code, report = project.run("people")
    assert (6, "failed") == (code, report["status"])
    assert "s3://nobodys/x cannot be written: there is no such bucket or folder." in report["message"]
    assert "REVERSE_ETL_STORAGE_URL" in report["message"]
    assert [] == batches(sandbox)
