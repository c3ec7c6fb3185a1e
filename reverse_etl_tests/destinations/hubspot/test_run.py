"""A sync from SQLite into HubSpot, as a user runs it: commands in a project folder, and what the account then holds."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reverse_etl_tests.project import SHOP, Project
from reverse_etl_tests.servers.saas import RunningStandin, Saas

CONNECTIONS = """\
databases:
{shop}destinations:
  crm:
    type: hubspot
    access_token: ${{HUBSPOT_ACCESS_TOKEN}}
    requests_per_second: 1000
    url: {url}
"""
SYNC = """\
database: shop
destination: crm
schedule: manual
hubspot: {{object: contacts, identify_by: customer_no{more}}}
query: SELECT {columns} FROM customers
"""
ALL = "customer_no, score, risk, is_active, renews_on"
ROWS = [
    ("c1", 85, "low", "true", "2026-01-05"),
    ("c2", None, "high", "false", None),
    ("c3", 7.5, None, None, "2026-02-01"),
]


@pytest.fixture
def hubspot(saas: Saas) -> RunningStandin:
    """A new account."""
    return saas("hubspot")


@pytest.fixture
def crm(hubspot: RunningStandin, tmp_path: Path) -> Project:
    """Three customers in SQLite, and a sync of them."""
    project = Project(tmp_path, {"HUBSPOT_ACCESS_TOKEN": "sandbox"})
    fill(project, ROWS)
    project.write("connections.yaml", CONNECTIONS.format(shop=SHOP, url=hubspot.url))
    write(project)
    return project


def fill(project: Project, rows: list[tuple[Any, ...]]) -> None:
    """Makes the table again, with these rows."""
    with closing(sqlite3.connect(project.folder / "shop.db")) as database, database:
        database.execute("DROP TABLE IF EXISTS customers")
        database.execute("CREATE TABLE customers (customer_no, score, risk, is_active, renews_on)")
        database.executemany("INSERT INTO customers VALUES (?, ?, ?, ?, ?)", rows)


def write(project: Project, columns: str = ALL, more: str = "", changes: str = "") -> None:
    """Writes the sync's file."""
    project.write("contacts.yaml", SYNC.format(columns=columns, more=more) + changes)


def stored(hubspot: RunningStandin, *names: str) -> dict[str, list[str | None]]:
    """The values of properties of each contact, by its number."""
    live = (each["properties"] for each in hubspot.records("contacts") if not each["archived"])
    return {each["customer_no"]: [each.get(name) for name in names] for each in live}


def test_a_run_brings_the_rows_into_the_account(crm: Project, hubspot: RunningStandin) -> None:
    """The account has each value as it is in the database, and nothing before."""
    shown = json.loads(crm.reverse_etl("preview", "contacts", "--json").stdout)
    assert {"id": "c1", "properties": {"customer_no": "c1", "score": "85", "risk": "low", "is_active": "true",
                                       "renews_on": "2026-01-05"}} == shown[0]["operation"]  # fmt: skip
    assert {} == stored(hubspot)
    code, report = crm.run("contacts")
    assert (0, "completed", 3) == (code, report["status"], report["rows"]["delivered"]), report
    assert {
        "c1": ["85", "low", "true", "2026-01-05"],
        "c2": [None, "high", "false", None],
        "c3": ["7.5", None, None, "2026-02-01"],
    } == stored(hubspot, "score", "risk", "is_active", "renews_on")


@pytest.mark.thorough
def test_values_that_do_not_fit_are_failed_rows(crm: Project, hubspot: RunningStandin) -> None:
    """With their column and why, before they are sent; the others arrive."""
    fill(crm, [*ROWS, ("c4", "many", None, None, None), ("c5", 1, "huge", None, None), ("c6", 1, None, None, "soon")])
    code, report = crm.run("contacts")
    assert (7, 3, 3) == (code, report["rows"]["delivered"], report["rows"]["rejected"]), report
    rows = json.loads(crm.reverse_etl("errors", "contacts", "--json").stdout)["failed_rows"]
    assert [
        ("c4", "delivery", "wrong_type", "score"),
        ("c5", "delivery", "invalid_option", "risk"),
        ("c6", "delivery", "wrong_type", "renews_on"),
    ] == [(row["identifier"], row["stage"], row["reason"], row["field"]) for row in rows]
    assert {"c1", "c2", "c3"} == stored(hubspot).keys()


@pytest.mark.thorough
def test_only_what_changed_is_sent_and_what_is_gone_is_archived(crm: Project, hubspot: RunningStandin) -> None:
    """Compared with what was acknowledged; a record that someone else made stays."""
    hubspot.put("contacts", {"customer_no": "theirs"})
    write(crm, more=", gone: archive", changes="changes: {by: compare}\n")
    assert 3 == crm.run("contacts")[1]["rows"]["delivered"]
    fill(crm, [("c1", 86, "low", "true", "2026-01-05"), ROWS[1]])
    code, report = crm.run("contacts")
    assert (0, 1, 1) == (code, report["rows"]["delivered"], report["rows"]["unchanged"]), report
    assert 1 == report["gone_rows"]["delivered"], report
    assert {"theirs": [None], "c1": ["86"], "c2": [None]} == stored(hubspot, "score")


@pytest.mark.thorough
def test_a_wrong_token_ends_the_run(crm: Project, hubspot: RunningStandin) -> None:
    """With where it is mended; it is not shown, and nothing was sent."""
    crm.environment["HUBSPOT_ACCESS_TOKEN"] = "pat-na1-wrong"
    code, report = crm.run("contacts")
    assert (5, 3) == (code, report["rows"]["undelivered"]), report
    assert "HubSpot refused the access token" in report["message"]
    assert "pat-na1-wrong" not in json.dumps(report)
    assert {} == stored(hubspot, "score")


@pytest.mark.thorough
def test_warnings_of_hubspot_are_in_the_message_of_the_run(crm: Project, hubspot: RunningStandin) -> None:
    """The rows are delivered; what to look at is said where a person looks, and not in the log alone."""
    hubspot.faults({"match": {"path": "/crm/v3/objects/contacts/batch/upsert"}, "do": {"own": "warnings"}})
    code, report = crm.run("contacts")
    assert (0, 3) == (code, report["rows"]["delivered"])
    assert "HubSpot warned of 3 records that it wrote" in report["message"]


@pytest.mark.thorough
def test_a_plan_foretells_the_failed_rows_of_the_run(crm: Project, hubspot: RunningStandin) -> None:
    """HubSpot is asked for its properties, and nothing else; the run that sends the plan fails the same rows."""
    fill(crm, [*ROWS, ("c4", "many", None, None, None), ("c5", 1, "huge", None, None)])
    planned = json.loads(crm.reverse_etl("plan", "contacts", "--json").stdout)
    rows = planned["streams"]["rows"]
    assert (3, 2, 1) == (rows["to_send"], rows["rejected"], rows["requests"])
    assert {"wrong_type (score)": 1, "invalid_option (risk)": 1} == rows["rejected_by"]
    assert {} == stored(hubspot)
    code, report = crm.run("contacts", "--plan", planned["plan_id"])
    assert (7, 3, 2) == (code, report["rows"]["delivered"], report["rows"]["rejected"])


def test_a_plan_says_what_the_account_does_not_have(crm: Project, hubspot: RunningStandin) -> None:
    """As the run would, before it reads a row to send."""
    write(crm, columns=f"{ALL}, score AS scoer")
    done = crm.reverse_etl("plan", "contacts")
    assert 2 == done.returncode
    assert "scoer" in done.stderr
    assert {} == stored(hubspot)
