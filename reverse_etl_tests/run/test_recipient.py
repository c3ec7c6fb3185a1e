"""Whose the acknowledgements are: another workspace of the same name starts from 0, and none gets half."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from reverse_etl.changeset.scope import Scope
from reverse_etl.errors import DestinationRefusedError, ReverseEtlError
from reverse_etl.report import Status
from reverse_etl.run.attend import attend
from reverse_etl.run.open_runs import end_open
from reverse_etl.run.stages import extract_changeset
from reverse_etl.state.schema import RUN, SYNC
from reverse_etl.state.syncs import last_sync_time, sync_state
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.faults.completed import ROWS, completed_once, ended
from reverse_etl_tests.faults.runs import Case
from reverse_etl_tests.faults.truth import everything_arrived
from reverse_etl_tests.servers.sandbox import RunningSandbox

REGION = {"path": "/api/v1/accounts/region"}
BATCH = {"path": "/api/v2/batch"}


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that has completed once."""
    return completed_once(tmp_path, sandbox)


def test_the_same_workspace_gets_what_changed(case: Case) -> None:
    """The report has no word about it."""
    report = ended(case.run())
    assert (Status.COMPLETED, 0, "") == (report.status, report.rows.extracted, report.message)


def test_another_workspace_gets_everything(case: Case) -> None:
    """The run says why; the one after it reads what changed."""
    case.sandbox.reset()
    report = ended(case.run())
    assert (Status.COMPLETED, ROWS) == (report.status, report.rows.delivered)
    assert "is not the one that completed this sync before" in report.message
    assert "last sync time 0" in report.message
    everything_arrived(case)
    assert 0 == ended(case.run()).rows.extracted


def test_a_run_that_another_workspace_stopped_is_gone_on_with_there(case: Case) -> None:
    """A delivery that stops half-way is continued in the workspace that it was for, and in no other."""
    case.sandbox.reset()
    stop = {"match": BATCH, "skip": 2, "always": True, "do": {"status": 401}}
    case.sandbox.faults([stop])
    assert 4 == ended(case.run()).rows.delivered
    case.sandbox.clear_faults()
    before = len(case.sandbox.requests())
    assert ROWS == ended(case.run()).rows.delivered
    sent = [each["items"] for each in case.sandbox.requests()[before:] if each["path"] == BATCH["path"]]
    assert ROWS - 4 == sum(sent)
    case.sandbox.reset()
    case.sandbox.faults([stop])
    assert 4 == ended(case.run()).rows.delivered
    case.sandbox.reset()
    assert ROWS == ended(case.run()).rows.delivered
    everything_arrived(case)


def test_a_workspace_exchanged_within_a_run_gets_nothing_of_it(case: Case) -> None:
    """Its rows were read for the other one: they are failed rows, and the next run sends everything."""
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET updated_at = 9999999999 WHERE rowid < 3")
    run = case.run(before=lambda stage: case.sandbox.reset() if stage == "deliver" else None)
    report = ended(run)
    assert (Status.FAILED, 5, 2) == (report.status, report.exit_code, report.rows.undelivered)
    assert "is not the one that the rows of run" in report.message
    assert [] == case.sandbox.people()
    again = ended(case.run(root=run.run_id))
    assert (Status.FAILED, 5) == (again.status, again.exit_code)
    assert ROWS == ended(case.run()).rows.delivered
    everything_arrived(case)


def test_a_retry_in_another_workspace_is_refused(case: Case) -> None:
    """Only the rows that failed would be in it."""
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET updated_at = 9999999999 WHERE rowid < 3")
    case.sandbox.faults([{"match": BATCH, "always": True, "do": {"refuse_items": {"ids": ["p1"]}}}])
    failed = case.run()
    assert Status.SOME_ROWS_FAILED is ended(failed).status
    case.sandbox.reset()
    run = case.start()
    with pytest.raises(DestinationRefusedError, match="failed in another workspace"), attend(run):
        extract_changeset(run, case.database, case.workspace, scope=Scope(retry_of=failed.run_id))
    assert [] == case.sandbox.people()


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_workspace_that_does_not_say_who_it_is_moves_nothing(case: Case, status: int) -> None:
    """With nothing to send the run completes; last sync time stays until the workspace has said so."""
    before = last_sync_time(case.store, case.name)
    case.sandbox.faults([{"match": REGION, "always": True, "do": {"status": status}}])
    report = ended(case.run())
    assert (Status.COMPLETED, 0, before) == (report.status, report.rows.extracted, report.last_sync_time)
    assert "last sync time stays" in report.message
    case.sandbox.clear_faults()
    assert "" == ended(case.run()).message


def test_a_proxy_that_does_not_know_the_request_is_recognized_by_its_address(case: Case) -> None:
    """404: address and site id decide; another site id starts from 0."""
    case.sandbox.faults([{"match": REGION, "always": True, "do": {"status": 404}}])
    assert (Status.COMPLETED, 0, "") == ((report := ended(case.run())).status, report.rows.extracted, report.message)
    url = case.workspace.track_base_url().replace("127.0.0.1", "localhost")
    elsewhere = case.workspace.model_copy(update={"track_url": type(case.workspace.track_url)(url)})
    case.workspace = elsewhere
    assert ROWS == ended(case.run()).rows.delivered


def test_another_address_that_says_nothing_is_not_read_for(case: Case) -> None:
    """Whether it is the same is not known: the run ends before it reads."""
    case.sandbox.faults([{"match": REGION, "always": True, "do": {"status": 401}}])
    url = case.workspace.track_base_url().replace("127.0.0.1", "localhost")
    case.workspace = case.workspace.model_copy(update={"track_url": type(case.workspace.track_url)(url)})
    run = case.run()
    assert isinstance(run.error, ReverseEtlError)
    assert (5, 0) == (ended(run).exit_code, ended(run).rows.extracted)


def test_the_same_workspace_at_another_address_goes_on(case: Case) -> None:
    """Its environment is the same: a proxy, or new keys, send nothing again."""
    url = case.workspace.track_base_url().replace("127.0.0.1", "localhost")
    case.workspace = case.workspace.model_copy(update={"track_url": type(case.workspace.track_url)(url)})
    assert (0, "") == ((report := ended(case.run())).rows.extracted, report.message)


def test_what_was_remembered_before_is_the_present_workspaces(case: Case) -> None:
    """A state database of an earlier release sends nothing again, and from then on knows whose it is."""
    with case.store.writing() as connection:
        for table in (SYNC, RUN):
            connection.execute(sa.update(table).values(recipient=None))
    run = case.start()
    with attend(run):
        extract_changeset(run, case.database, case.workspace, clock=FastClock().clock())
    assert sync_state(case.store, case.name).recipient is not None
    end_open(run.lease_id)
    case.sandbox.reset()
    assert ROWS == ended(case.run()).rows.delivered
