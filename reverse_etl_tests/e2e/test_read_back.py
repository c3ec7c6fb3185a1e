"""Accepted is not applied: what the workspace did not do with a row makes it a failed row, and says why."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from reverse_etl_tests.project import SHOP, Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

pytestmark = pytest.mark.thorough


def failed(report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Identifier, stage, reason and field of each failed row in the CSV."""
    with Path(report["failed_rows_csv"]).open(newline="") as file:
        return [(row["identifier"], row["stage"], row["reason"], row["field"]) for row in csv.DictReader(file)]


def test_a_row_that_was_accepted_and_not_applied_is_a_failed_row(project: Project, sandbox: RunningSandbox) -> None:
    """An address that belongs to another person: refused, with cause and fix; last sync time stays; then it mends."""
    project.run("people")
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), ("9", "Ann@Example.com", "b")])
    code, report = project.run("people", "--full")
    assert (7, 1, 1) == (code, report["rows"]["delivered"], report["rows"]["refused"])
    assert [("9", "read_back", "Failed Attribute Change", "email")] == failed(report)
    errors = project.reverse_etl("errors", "people", "--json").stdout
    assert "belongs to another person" in errors
    assert "ann@example.com" not in errors.lower()
    fill(project.folder / "shop.db", [("9", "nine@example.com", "b")])
    done = project.reverse_etl("retry", "people", "--json")
    assert 0 == done.returncode, done.stderr
    assert "9" in {person["id"] for person in sandbox.people()}


def test_a_person_whom_customerio_ignores_is_left_out(project: Project, sandbox: RunningSandbox) -> None:
    """Suppressed without a word in the answer: excluded, or failed where the sync says so."""
    sandbox.suppress(id="2")
    code, report = project.run("people")
    assert (0, 2, 1) == (code, report["rows"]["delivered"], report["rows"]["excluded"])
    project.write("people.yaml", people().replace("{identify_by: id}", "{suppressed: ignore_and_fail}"))
    code, report = project.run("people", "--full")
    assert (7, 2, 1) == (code, report["rows"]["delivered"], report["rows"]["refused"])


def test_a_row_without_a_person_to_update_is_excluded(project: Project, sandbox: RunningSandbox) -> None:
    """With update_only, a row of an unknown person is no failure and not called delivered."""
    project.write("people.yaml", people().replace("{identify_by: id}", "{write: update_only}"))
    code, report = project.run("people")
    assert (0, 0, 3) == (code, report["rows"]["delivered"], report["rows"]["excluded"])


def test_relationships_and_events_are_looked_at_too(project: Project, sandbox: RunningSandbox) -> None:
    """A person who is ignored: their relationship and their event are failed rows, others' are not."""
    sandbox.suppress(id="2")
    suppressed = "suppressed: ignore_and_fail"
    query = "query: SELECT '1' AS id, 'acme' AS object_id UNION ALL SELECT '2', 'acme'"
    project.write(
        "companies.yaml",
        "database: shop\nworkspace: main\nschedule: manual\nobjects: {}\nquery: SELECT 'acme' AS object_id\n"
        f"relationships:\n  {suppressed}\n  {query}\n",
    )
    code, report = project.run("companies")
    assert (7, 1, 1) == (code, report["relationships"]["delivered"], report["relationships"]["refused"])
    assert (1, 0) == (report["rows"]["delivered"], report["rows"]["refused"])
    project.write(
        "visits.yaml",
        "database: shop\nworkspace: main\nschedule: manual\n"
        f"events: {{name: visit, {suppressed}}}\nquery: SELECT id, 1767600000 AS occurred_at FROM customers\n",
    )
    code, report = project.run("visits")
    assert (7, 2, [("2", "read_back", "Failed Event", "")]) == (code, report["rows"]["delivered"], failed(report))


def test_a_feed_that_does_not_answer_fails_nothing(project: Project, sandbox: RunningSandbox) -> None:
    """The rows stay delivered, the run completes, and says that they were not verified."""
    sandbox.faults([{"match": {"path": "/v1/activities"}, "always": True, "do": {"status": 404}}])
    code, report = project.run("people")
    assert (0, "completed", 3) == (code, report["status"], report["rows"]["delivered"])
    assert "was not verified" in report["message"]


def refuse_the_app_api_key(sandbox: RunningSandbox, *further: dict[str, Any]) -> None:
    """From now on the App API refuses the key with which the feed is read."""
    refused = {"match": {"path": "/v1/activities"}, "always": True, "do": {"status": 401}}
    sandbox.faults([refused, *further])


UNVERIFIED = (
    "What became of the rows after they were accepted was not verified: workspace main: Customer.io refused the App "
    "API credentials (HTTP 401). Check the variables behind app_api_key in connections.yaml"
)


def test_a_refused_app_api_key_is_reported_with_failed_rows_too(project: Project, sandbox: RunningSandbox) -> None:
    """What was not verified is in the run's output and in the history, with the key to check, before the next step."""
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), (None, None, "b")])
    refuse_the_app_api_key(sandbox)
    code, report = project.run("people")
    assert (7, 1, 1) == (code, report["rows"]["delivered"], report["rows"]["rejected"])
    assert UNVERIFIED in report["message"]
    assert f"See: reverse-etl errors people --run {report['run_id'][:8]}" in report["message"]
    assert UNVERIFIED in project.reverse_etl("run", "people").stderr
    assert UNVERIFIED in " ".join(project.reverse_etl("history", "people").stdout.split())


def test_a_run_that_stops_reports_what_was_not_verified(project: Project, sandbox: RunningSandbox) -> None:
    """Of the rows that were accepted before; the run that continues verifies them."""
    path = project.folder / "syncs" / "connections.yaml"
    path.write_text(f"{path.read_text()}    max_items_per_request: 1\n    max_requests_in_flight: 1\n")
    stops = {"match": {"path": "/api/v2/batch"}, "skip": 1, "always": True, "do": {"status": 401}}
    refuse_the_app_api_key(sandbox, stops)
    code, report = project.run("people")
    assert (5, "failed", 1) == (code, report["status"], report["rows"]["delivered"])
    assert UNVERIFIED in report["message"]
    sandbox.clear_faults()
    sandbox.faults([stops])
    message = project.run("people")[1]["message"]
    assert "was not verified: the run ended before the workspace's activities were read. The next run reads" in message
    assert message.endswith(": reverse-etl run people")
    sandbox.clear_faults()
    code, report = project.run("people")
    assert 0 == code
    assert "not verified" not in (report["message"] or "")


def test_reading_back_can_be_turned_off(project: Project, sandbox: RunningSandbox) -> None:
    """With `read_back: false` or without an App API key the feed is not asked for."""
    project.connections(SHOP, sandbox.url)
    path = project.folder / "syncs" / "connections.yaml"
    path.write_text(path.read_text() + "    read_back: false\n")
    assert 0 == project.run("people")[0]
    assert not [seen for seen in sandbox.requests() if seen["path"] == "/v1/activities"]
