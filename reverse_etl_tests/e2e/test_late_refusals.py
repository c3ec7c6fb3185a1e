"""What the workspace reports between two runs, of rows that it had accepted, is in the next run's message: once."""

from __future__ import annotations

import json
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from reverse_etl_tests.project import Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

FAILED = "failed_attribute_change"
TOO_MANY = "person has more than 300 attributes"
FEED = "/v1/activities"
KINDS = 2
"""Kinds of activities, and so requests, that a sync of people asks for at a time."""

SUPPRESSED = "person is suppressed"
"""Left out by choice, unless the sync says otherwise."""


def message(project: Project) -> str:
    """The message of a run of all people, which completes."""
    code, report = project.run("people", "--full")
    assert (0, "completed") == (code, report["status"])
    return report["message"] or ""


@pytest.mark.thorough
def test_what_comes_between_two_runs_is_reported_once(project: Project, sandbox: RunningSandbox) -> None:
    """By cause, without identifiers; what another program sent is not blamed on this sync."""
    assert "" == message(project)
    sandbox.refuse_late(FAILED, TOO_MANY, id="2")
    sandbox.refuse_late(FAILED, SUPPRESSED, id="3")
    sandbox.refuse_late(FAILED, TOO_MANY, id="planted-of-another-program")
    told = message(project)
    assert "sync people" in told
    assert "1 row that the workspace accepted in earlier runs was not applied" in told
    assert "had ended. 1 x Failed Attribute Change: the record would have more attributes" in told
    assert told.endswith("then run: reverse-etl run people --full")
    assert "planted" not in told
    (newest, *_) = json.loads(project.reverse_etl("history", "people", "--json").stdout)
    assert told == newest["message"]
    assert "" == message(project)


@pytest.mark.thorough
def test_relationships_and_events_are_reported_too(project: Project, sandbox: RunningSandbox) -> None:
    """Each from its own activities."""
    project.write(
        "companies.yaml",
        "database: shop\nworkspace: main\nschedule: manual\nobjects: {}\nquery: SELECT 'acme' AS object_id\n"
        "relationships:\n  query: SELECT '1' AS id, 'acme' AS object_id\n",
    )
    project.write(
        "visits.yaml",
        "database: shop\nworkspace: main\nschedule: manual\n"
        "events: {name: visit}\nquery: SELECT id, 1767600000 AS occurred_at FROM customers\n",
    )
    for sync in ("companies", "visits"):
        assert not project.run(sync, "--full")[1]["message"]
    sandbox.refuse_late(
        "_r:1:failed_attribute_change", "object does not exist", id="1", object_id="acme", object_type_id="1"
    )
    sandbox.refuse_late("failed_event", "event is too old", id="2")
    for sync in ("companies", "visits"):
        assert "1 row that the workspace accepted in earlier runs" in project.run(sync, "--full")[1]["message"]


@pytest.mark.thorough
def test_without_the_earlier_rows_the_changes_are_counted(project: Project, sandbox: RunningSandbox) -> None:
    """Whose they are is not known then, and the message says that."""
    message(project)
    shutil.rmtree(project.folder / "home" / "changesets" / "people")
    sandbox.refuse_late(FAILED, TOO_MANY, id="2")
    assert "1 change failed in the workspace. Whether this sync sent them is not known" in message(project)
    assert "" == message(project)


@pytest.mark.thorough
def test_a_feed_that_could_not_be_read_is_read_from_where_it_was(project: Project, sandbox: RunningSandbox) -> None:
    """What came before the failure is reported by the first run that can read again."""
    message(project)
    sandbox.refuse_late(FAILED, TOO_MANY, id="2")
    sandbox.faults([{"match": {"path": FEED}, "always": True, "do": {"status": 404}}])
    assert "was not verified" in message(project)
    sandbox.clear_faults()
    assert "1 row that the workspace accepted in earlier runs" in message(project)


@pytest.mark.thorough
def test_a_feed_that_fails_at_the_end_repeats_nothing(project: Project, sandbox: RunningSandbox) -> None:
    """What the run read at its beginning is reported; the next one goes on from that beginning."""
    message(project)
    sandbox.refuse_late(FAILED, TOO_MANY, id="2")
    fail = {"match": {"path": FEED}, "skip": 2 * KINDS, "always": True, "do": {"status": 404}}
    sandbox.faults([fail])
    told = message(project)
    assert "was not verified" in told
    assert "1 row that the workspace accepted in earlier runs" in told
    sandbox.clear_faults()
    assert "" == message(project)


@pytest.mark.thorough
def test_what_a_run_entered_itself_is_not_reported_by_the_next(project: Project, sandbox: RunningSandbox) -> None:
    """A row that fails while the run waits to read back is in that run's ledger, though an earlier one delivered it."""
    message(project)
    project.environment["REVERSE_ETL_READ_BACK_WAIT_S"] = "4"
    asked = len(feed_requests(sandbox))
    with ThreadPoolExecutor(1) as beside:
        run = beside.submit(project.run, "people", "--full")
        while len(feed_requests(sandbox)) < asked + 3 * KINDS and not run.done():
            pass
        sandbox.refuse_late(FAILED, TOO_MANY, id="2")
        code, report = run.result()
    assert (7, 1) == (code, report["rows"]["refused"])
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a")])
    assert "" == message(project)


@pytest.mark.thorough
def test_a_run_without_rows_reads_once_a_day(project: Project, sandbox: RunningSandbox) -> None:
    """Neither the feed nor the earlier rows are kept for ever; a workspace that is away does not fail such a run."""
    message(project)
    fill(project.folder / "shop.db", [])
    sandbox.refuse_late(FAILED, TOO_MANY, id="2")
    assert "" == message(project)
    a_day_passes(project)
    sandbox.faults([{"match": {"path": FEED}, "always": True, "do": {"status": 404}}])
    assert "" == message(project)
    sandbox.clear_faults()
    assert "1 row that the workspace accepted in earlier runs" in message(project)
    assert "" == message(project)


def feed_requests(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    """The requests for activities so far."""
    return [seen for seen in sandbox.requests() if seen["path"] == FEED]


def a_day_passes(project: Project) -> None:
    """The position of the feed is a day older; what was refused in the meantime keeps its time."""
    with closing(sqlite3.connect(project.folder / "home" / "state.db")) as state, state:
        state.execute("UPDATE reverse_etl_sync SET feed = json_set(feed, '$.since', feed ->> '$.since' - 86500)")


@pytest.mark.thorough
def test_another_workspace_is_not_asked_for_what_happened_before(project: Project, sandbox: RunningSandbox) -> None:
    """Its feed is of other rows."""
    message(project)
    sandbox.reset()
    sandbox.refuse_late(FAILED, TOO_MANY, id="2")
    assert "earlier runs" not in message(project)


@pytest.mark.thorough
def test_other_columns_than_before_are_no_trouble(project: Project, sandbox: RunningSandbox) -> None:
    """The rows of before are read as they were kept."""
    message(project)
    sandbox.refuse_late(FAILED, SUPPRESSED, id="2", email="bob@example.com")
    project.write(
        "people.yaml", people("SELECT email, plan FROM customers").replace("identify_by: id", "identify_by: email")
    )
    message(project)
