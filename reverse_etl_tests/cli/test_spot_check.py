"""``spot-check``: people and objects read back from a workspace, and how fresh they are there."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from reverse_etl.config.loader import load_project
from reverse_etl.destinations.customerio.spot_check import _is_same
from reverse_etl.run.ages import ages
from reverse_etl_tests.project import Project, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

QUERY = "SELECT id, email, plan, 1.50 AS score, 1767607200 AS score_updated_at FROM customers"
COMPANIES = """\
database: shop
workspace: main
schedule: manual
objects: {}
query: SELECT 'a/' || id AS object_id, plan AS name FROM customers
"""


def change(project: Project, sql: str) -> None:
    """Changes the source."""
    with closing(sqlite3.connect(project.folder / "shop.db")) as database, database:
        database.execute(sql)


def checked(project: Project, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON of `spot-check people`."""
    done = project.reverse_etl("spot-check", "people", "--json", *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_people_are_compared_with_the_source_as_it_is_now(project: Project, sandbox: RunningSandbox) -> None:
    """Same, differs, missing; the table says how old the values are there."""
    project.write("people.yaml", people(QUERY))
    assert 0 == project.run("people")[0]
    asked = len(sandbox.requests())
    assert (0, {"sampled": 3, "same": 3, "differs": 0, "missing": 0}) == (
        (found := checked(project))[0],
        {name: found[1][name] for name in ("sampled", "same", "differs", "missing")},
    )
    new = [(each["method"], each["path"]) for each in sandbox.requests()[asked:]]
    assert [("POST", "/v1/customers/attributes")] == new, "nothing but a look-up is asked of the workspace"
    change(project, "UPDATE customers SET plan = 'team' WHERE id = '1'")
    change(project, "INSERT INTO customers SELECT '4', 'di@example.com', 'free', updated_at FROM customers LIMIT 1")
    code, found = checked(project, "--values")
    assert (7, 2, 1, 1, {"plan": 1}) == (
        code,
        *(found[name] for name in ("same", "differs", "missing", "columns")),
    )
    assert {
        "1": {"key": "1", "missing": False, "columns": {"plan": {"expected": "team", "found": "free"}}},
        "4": {"key": "4", "missing": True, "columns": {}},
    } == {each["key"]: each for each in found["first"]}
    assert {"last_hour": 0, "last_4_hours": 0, "last_day": 0, "older": 3, "no_time": 0} == found["ages"][
        "score_updated_at"
    ]
    shown = project.reverse_etl("spot-check", "people", "-n", "4", "--age-of", "plan").stdout
    assert "people: 4 of 4 rows looked up in main" in shown
    assert ["plan", "0", "0", "0", "0", "3"] in [line.split() for line in shown.splitlines()]
    assert "team" not in shown, "values are shown where they are asked for"


@pytest.mark.thorough
def test_what_others_wrote_about_people_is_told_too(project: Project, sandbox: RunningSandbox) -> None:
    """The age of an attribute that another sync writes; a person found by an address in any case."""
    query = "SELECT upper(email) AS email, plan FROM customers"
    project.write("people.yaml", people(query).replace("identify_by: id", "identify_by: email"))
    other = f"SELECT email, {int(datetime.now(UTC).timestamp())} AS last_updated_at FROM customers WHERE id = '1'"
    project.write("other.yaml", people(other).replace("identify_by: id", "identify_by: email"))
    assert (0, 0) == (project.run("people")[0], project.run("other")[0])
    code, found = checked(project)
    assert (0, {"last_hour": 1, "no_time": 2}) == (
        code,
        {name: rows for name, rows in found["ages"]["last_updated_at"].items() if rows},
    )


@pytest.mark.thorough
def test_objects_are_read_back_one_by_one(project: Project, sandbox: RunningSandbox) -> None:
    """By type and id, whatever the id holds."""
    project.write("people.yaml", COMPANIES)
    assert 0 == project.run("people")[0]
    assert (0, 3) == ((found := checked(project))[0], found[1]["same"])
    change(project, "UPDATE customers SET id = '9' WHERE id = '1'")
    assert (7, 2, 1) == ((found := checked(project))[0], found[1]["same"], found[1]["missing"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (people(), "connections.yaml:{line}: workspace main has no app_api_key, with which people are read back."),
        (
            "database: shop\nworkspace: main\nschedule: manual\nevents: {name: order, identify_by: id}\n"
            "query: SELECT id, 1 AS occurred_at FROM customers\n",
            "sync people (syncs/people.yaml): Customer.io has no way to read an event back.",
        ),
    ],
)
def test_what_cannot_be_read_back_is_said_before_anything_is_read(
    new_project: Project, sandbox: RunningSandbox, text: str, says: str
) -> None:
    """In a sentence with the file and the next step; `validate` has it where the sync asks for a spot check."""
    project = new_project
    connections = project.folder / "syncs" / "connections.yaml"
    lines = [line for line in connections.read_text().splitlines() if "app_api_key" not in line]
    connections.write_text("\n".join(lines) + "\n")
    (project.folder / "shop.db").unlink()
    project.write("people.yaml", text)
    says = says.format(line=1 + next(n for n, line in enumerate(lines) if "track_api_key" in line))
    done = project.reverse_etl("spot-check", "people")
    assert (2, "") == (done.returncode, done.stdout)
    assert says in " ".join(done.stderr.split())
    assert [] == sandbox.requests()
    project.write("people.yaml", text + "spot_check: {every: 6h}\n")
    found = project.reverse_etl("validate")
    assert 2 == found.returncode
    assert "syncs/people.yaml:" in found.stdout
    assert ": spot_check: " in found.stdout


def test_rows_of_a_service_are_not_read_back(new_project: Project) -> None:
    """Which destinations can is said."""
    with (new_project.folder / "syncs" / "connections.yaml").open("a") as file:
        file.write('destinations:\n  team: {type: slack, bot_token: "${SLACK_TOKEN}"}\n')
    text = "database: shop\ndestination: team\nschedule: manual\nslack: {channel: '#x', message: '{id}'}\n"
    new_project.write("people.yaml", text + "query: SELECT id FROM customers\n")
    done = new_project.reverse_etl("spot-check", "people")
    assert 2 == done.returncode
    assert "cannot be read back" in " ".join(done.stderr.split()), done.stderr


@pytest.mark.parametrize(
    ("expected", "found", "same"),
    [
        ('"free"', "free", True),
        ('"free"', "Free", False),
        ('"5"', "5", True),
        ("10.50", "10.5", True),
        ("1", "true", False),
        ("true", "true", True),
        ("true", "1", False),
        ("12345678901234567.1", "12345678901234567.1", True),
        ("12345678901234567.1", "12345678901234567.2", False),
        ('{"a":[1,2.0]}', '{"a": [1, 2]}', True),
        ('{"a":1}', "a", False),
        ('""', None, True),
        ("null", "", True),
        ('""', "pro", False),
        ('"pro"', None, False),
        (None, "whatever", True),
    ],
)
def test_texts_of_the_api_are_compared_by_value(expected: str | None, found: str | None, same: bool) -> None:
    """A number by its value, structures as JSON; what is cleared may be gone or empty, what is not sent be there."""
    assert same is _is_same("plan", expected, found)


def test_ages_are_counted_once() -> None:
    """Seconds, milliseconds, ISO 8601 with and without a zone; what is no time is counted apart."""
    now = datetime(2026, 1, 5, 12, tzinfo=UTC)
    at = int(now.timestamp())
    texts = [str(at), str(at - 3_600), str(at - 3_601), f"{(at - 14_400) * 1_000}", "2026-01-04T13:00:00+01:00"]
    texts += ["2026-01-04 11:59:59", "yesterday", "", str(at + 60), str(Decimal(at) - Decimal("0.5")), "1e400"]
    assert {"last_hour": 4, "last_4_hours": 2, "last_day": 1, "older": 1, "no_time": 4} == ages([*texts, None], now)


def test_the_section_is_read(new_project: Project) -> None:
    """By default a day and 20 rows."""
    new_project.write("people.yaml", people(more="spot_check: {}\n"))
    found = load_project(new_project.folder / "syncs").syncs["people"].spot_check
    assert found is not None
    assert (86_400, 20) == (found.every.total_seconds(), found.sample)
