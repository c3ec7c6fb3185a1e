"""`reverse-etl run`: a sync goes from database to workspace, and every row's fate is known."""

from __future__ import annotations

import csv
import json
import re
import time
from pathlib import Path

import pytest

from reverse_etl_tests.project import Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox


def test_people_arrive_and_the_next_run_reads_only_what_changed(project: Project, sandbox: RunningSandbox) -> None:
    """A completed run: exit 0, everyone in the workspace, empty values left out, last sync time moved.

    The second run is given the first run's start; `--full` reads everything again.
    """
    before = int(time.time())
    code, report = project.run("people")
    assert (0, "completed") == (code, report["status"])
    assert (3, 3, 0) == tuple(report["rows"][key] for key in ("extracted", "delivered", "rejected"))
    arrived = {person["id"]: person for person in sandbox.people()}
    assert {"1", "2", "3"} == arrived.keys()
    assert "ann@example.com" == arrived["1"]["email"]
    assert "free" == arrived["1"]["attributes"]["plan"]
    assert "plan" not in arrived["3"]["attributes"]
    assert before <= report["last_sync_time"] <= time.time()
    assert report["failed_rows_csv"] is None

    code, second = project.run("people")
    assert (0, 0) == (code, second["rows"]["extracted"])
    code, full = project.run("people", "--full")
    assert (0, 3) == (code, full["rows"]["delivered"])


def test_bad_rows_fail_with_number_and_reason_and_the_others_arrive(project: Project, sandbox: RunningSandbox) -> None:
    """Some rows failed: exit 7, the good rows delivered, the CSV names each bad one, last sync time stays."""
    rows = [
        ("1", "ann@example.com", "a"),
        ("2", "not an address", "b"),
        (None, "x@example.com", "c"),
        ("4", "d@example.com", "v" * 1001),
    ]
    fill(project.folder / "shop.db", rows)
    code, report = project.run("people")
    assert (7, "some_rows_failed", 0) == (code, report["status"], report["last_sync_time"])
    assert (4, 1, 3) == tuple(report["rows"][key] for key in ("extracted", "delivered", "rejected"))
    assert ["1"] == [person["id"] for person in sandbox.people()]
    path = Path(report["failed_rows_csv"])
    assert 0o600 == path.stat().st_mode & 0o777
    with path.open(newline="") as file:
        failed = list(csv.DictReader(file))
    assert [
        ("2", "2", "email_valid", "email"),
        ("3", "", "identifier_present", "id"),
        ("4", "4", "attribute_value_length", "plan"),
    ] == [(row["row_number"], row["identifier"], row["reason"], row["field"]) for row in failed]


@pytest.mark.thorough
def test_one_odd_value_spoils_only_its_own_row(project: Project, sandbox: RunningSandbox) -> None:
    """SQLite columns may mix types: numbers and bytes among texts leave the other rows as they are."""
    rows = [
        (1, "ann@example.com", "a"),
        ("2", "bob@example.com", 7),
        ("3", b"bytes", "c"),
        (4, "dee@example.com", b"x"),
    ]
    fill(project.folder / "shop.db", rows)
    text = (
        "SELECT id, 'acme' AS object_id, CASE id WHEN 1 THEN 1 WHEN '2' THEN 'no' ELSE 0 END AS deleted FROM customers"
    )
    project.write("people.yaml", people(more=f"relationships:\n  query: |\n    {text}\n"))
    code, report = project.run("people")
    assert (7, 2, 2) == (code, report["rows"]["delivered"], report["rows"]["rejected"])
    arrived = {person["id"]: (person["email"], person["attributes"].get("plan")) for person in sandbox.people()}
    assert {"1": ("ann@example.com", "a"), "2": ("bob@example.com", 7)}.items() <= arrived.items()
    assert (3, 1) == (report["relationships"]["delivered"], report["relationships"]["rejected"])


def test_a_refused_row_is_never_called_delivered(project: Project, sandbox: RunningSandbox) -> None:
    """A row that the workspace refuses in a 207 is a failed row of stage customerio; the rest is delivered."""
    sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"refuse_items": {"ids": ["2"]}}}])
    try:
        code, report = project.run("people")
    finally:
        sandbox.clear_faults()
    assert (7, 2, 1) == (code, report["rows"]["delivered"], report["rows"]["refused"])
    assert {"1", "3"} == {person["id"] for person in sandbox.people()}
    errors = project.reverse_etl("errors", "people", "--json")
    assert '"customerio"' in errors.stdout


def test_zero_rows_are_a_completed_run(project: Project, sandbox: RunningSandbox) -> None:
    """An empty result completes the run and moves the last sync time."""
    fill(project.folder / "shop.db", [])
    code, report = project.run("people")
    assert (0, "completed", 0) == (code, report["status"], report["rows"]["extracted"])
    assert 0 < report["last_sync_time"]
    assert [] == sandbox.people()


def test_a_gate_stops_the_run_before_anything_is_sent(project: Project, sandbox: RunningSandbox) -> None:
    """More failed rows than `max_failed_rows` allows: exit 4, and the workspace stays empty."""
    fill(project.folder / "shop.db", [("1", "ann@example.com", "a"), ("2", "nope", "b")])
    project.write("people.yaml", people(more="checks:\n  - max_failed_rows: 10%\n"))
    code, report = project.run("people")
    assert (4, "failed") == (code, report["status"])
    assert "max_failed_rows" in report["message"]
    assert (0, 1, 1) == tuple(report["rows"][key] for key in ("delivered", "rejected", "undelivered"))
    assert report["message"].endswith("To let it pass in one run: reverse-etl run people --accept max_failed_rows")
    assert [] == sandbox.people()
    unknown = project.reverse_etl("run", "people", "--accept", "max_failed_row")
    assert 2 == unknown.returncode
    assert "syncs/people.yaml" in unknown.stderr
    assert "Did you mean --accept max_failed_rows?" in " ".join(unknown.stderr.split())
    assert [] == sandbox.people()
    code, report = project.run("people", "--accept", "max_failed_rows")
    assert (7, 1, 1) == (code, report["rows"]["delivered"], report["rows"]["rejected"])
    assert "Accepted for this run: max_failed_rows." in report["message"]
    assert 4 == project.run("people")[0]


@pytest.mark.thorough
def test_segment_and_relationships_follow_the_people(project: Project, sandbox: RunningSandbox) -> None:
    """Delivered people join the segment, and are related to their objects; an ended membership is removed."""
    more = (
        "relationships:\n  identify_by: id\n  query: |\n"
        "    SELECT id, 'acme' AS object_id, id = '2' AS deleted, 'admin' AS role FROM customers\n"
    )
    text = people(more=more).replace("{identify_by: id}", "{identify_by: id, segment: {name: Shop customers}}")
    project.write("people.yaml", text)
    code, report = project.run("people")
    assert (0, 3, 3) == (code, report["rows"]["delivered"], report["relationships"]["delivered"])
    related = {row["person"]["id"]: row["attributes"] for row in sandbox.relationships()}
    assert {"1": {"role": "admin"}, "3": {"role": "admin"}} == related
    (segment,) = sandbox.segments()
    assert "Shop customers" == segment["name"]
    assert 3 == len(segment["people"])


def test_update_only_creates_no_one(project: Project, sandbox: RunningSandbox) -> None:
    """`write: update_only` sends `_update`, so unknown people stay unknown."""
    project.write("people.yaml", people().replace("{identify_by: id}", "{identify_by: id, write: update_only}"))
    code, _ = project.run("people")
    assert (0, []) == (code, sandbox.people())


def test_objects_arrive(project: Project, sandbox: RunningSandbox) -> None:
    """A sync of objects writes objects of its type."""
    text = people("SELECT id AS object_id, plan FROM customers").replace(
        "people: {identify_by: id}", "objects: {object_type: 2}"
    )
    project.write("companies.yaml", text)
    code, report = project.run("companies")
    assert (0, 3) == (code, report["rows"]["delivered"])
    assert {("2", "1"), ("2", "2"), ("2", "3")} == {
        (str(o["object_type_id"]), o["object_id"]) for o in sandbox.objects()
    }


def test_events_arrive_once(project: Project, sandbox: RunningSandbox) -> None:
    """Events of people who exist; sent again, each is the same event."""
    project.run("people")
    query = "SELECT id, 1767225600 + rowid AS occurred_at, rowid AS event_id, plan FROM customers"
    project.write("signed_up.yaml", people(query).replace("people: {identify_by: id}", "events: {name: signed_up}"))
    for _ in range(2):
        code, report = project.run("signed_up", "--full")
        assert (0, 3) == (code, report["rows"]["delivered"])
    assert [("signed_up", 1767225601), ("signed_up", 1767225602), ("signed_up", 1767225603)] == sorted(
        (event["name"], event["timestamp"]) for event in sandbox.events()
    )


def test_wrong_workspace_credentials_stop_at_once(project: Project, sandbox: RunningSandbox) -> None:
    """Refused credentials: exit 5, a sentence with the key to look at, each row in the CSV as undelivered."""
    project.environment["CUSTOMERIO_TRACK_API_KEY"] = "planted-secret"
    done = project.reverse_etl("run", "people", "--json")
    assert 5 == done.returncode
    assert "main" in done.stderr
    assert "Traceback" not in done.stderr
    assert "planted-secret" not in done.stderr + done.stdout
    assert [] == sandbox.people()
    report = json.loads(done.stdout)
    assert 3 == report["rows"]["undelivered"]
    with Path(report["failed_rows_csv"]).open(newline="") as file:
        assert ["1", "2", "3"] == [row["identifier"] for row in csv.DictReader(file) if row["stage"] == "delivery"]


def test_an_unreachable_workspace_leaves_rows_undelivered(project: Project, sandbox: RunningSandbox) -> None:
    """Nobody listens at the workspace's address: exit 5, every row undelivered, last sync time stays."""
    connections = (project.folder / "syncs" / "connections.yaml").read_text().replace(sandbox.url, "http://127.0.0.1:9")
    project.write("connections.yaml", connections)
    project.environment["REVERSE_ETL_RETRY_BUDGET_S"] = "1"
    code, report = project.run("people")
    assert (5, "failed", 0) == (code, report["status"], report["last_sync_time"])
    assert 3 == report["rows"]["undelivered"]


def test_pause_and_resume_show_in_the_status(project: Project) -> None:
    """The word in `status` follows the commands; a sync that is not there gets the nearest name."""

    def shown() -> str:
        (sync,) = json.loads(project.reverse_etl("status", "--json").stdout)
        return str(sync["sync_status"])

    assert "active" == shown()
    assert 0 == project.reverse_etl("pause", "people").returncode
    assert "paused" == shown()
    assert 0 == project.reverse_etl("resume", "people").returncode
    assert "active" == shown()
    assert "Did you mean people?" in project.reverse_etl("pause", "poeple").stderr


@pytest.mark.parametrize("option", [(), ("--full",)])
def test_preview_shows_operations_and_sends_nothing(
    project: Project, sandbox: RunningSandbox, option: tuple[str, ...]
) -> None:
    """`preview` prints each row's verdict with its values or its operation; the workspace hears nothing."""
    done = project.reverse_etl("preview", "people", "--operations", *option)
    assert 0 == done.returncode, done.stderr
    assert '"action":"identify"' in done.stdout
    done = project.reverse_etl("preview", "people", *option)
    assert re.search(r"\n +1  valid +1 +ann@example.com  free\n", done.stdout), done.stdout
    assert "--operations" in done.stdout
    assert [] == sandbox.people()


def test_preview_spells_an_identifier_as_it_is_sent(project: Project) -> None:
    """A float that names a person is 42 in the table too, whatever the other rows of its column are."""
    sync = (project.folder / "syncs" / "people.yaml").read_text().partition("query:")[0]
    project.write("spelled.yaml", f"{sync}query: SELECT 42.0 AS id, 'a@example.com' AS email, 1.0 AS v\n")

    shown = project.reverse_etl("preview", "spelled").stdout

    assert re.search(r"\n +1  valid +42 +a@example.com +1.0\n", shown), shown


def test_events_that_repeat_are_reported(project: Project, sandbox: RunningSandbox) -> None:
    """By `preview` row by row, and by `run` with their number: the workspace keeps one of each key."""
    clicks = "UNION ALL ".join(f"SELECT {who} AS id, 'a' AS sku, 1788000000 AS occurred_at " for who in (1, 2, 2, 2))
    events = "events: {identify_by: id, name: clicked}"
    project.write("clicks.yaml", people(clicks).replace("people: {identify_by: id}", events))
    project.environment["COLUMNS"] = "80"

    shown = project.reverse_etl("preview", "clicks")
    ran = project.reverse_etl("run", "clicks")

    assert 2 == shown.stdout.count("event_repeated: an earlier row is the same")
    for text in (shown.stderr, ran.stdout + ran.stderr):
        assert "2 events are excluded: each repeats an earlier row" in " ".join(text.split())
        assert all(len(line) <= 80 for line in text.splitlines())
    assert 0 == ran.returncode
    assert 2 == len(sandbox.events())
