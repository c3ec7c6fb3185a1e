"""The sample shop is the same everywhere, has each known fault, and is what the shipped syncs read."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reverse_etl.changeset.extract import Before, extract
from reverse_etl.changeset.parts import RunFolder
from reverse_etl.checks.runner import validate
from reverse_etl.config.loader import load_project
from reverse_etl.demo.expected import Expected, ExpectedFailure, expected
from reverse_etl.demo.shop import COMPANIES, create_shop, mend, touch
from reverse_etl.sources import connect
from reverse_etl_tests.dialects import DIALECTS as SPOKEN

SYNCS = Path(__file__).parents[2] / "syncs"
PEOPLE = 400
LATER = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small shop."""
    create_shop(tmp_path / "shop.db", people=PEOPLE)
    return tmp_path / "shop.db"


def ask(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


def contents(path: Path) -> str:
    """A digest of all rows of all tables."""
    with closing(sqlite3.connect(path)) as database:
        return hashlib.sha256("\n".join(database.iterdump()).encode()).hexdigest()


def test_it_is_the_same_every_time(tmp_path: Path, shop: Path) -> None:
    """Same seed, same rows; another seed, others. An older file is replaced."""
    first = contents(shop)
    create_shop(shop, people=PEOPLE)
    assert first == contents(shop)
    create_shop(shop, people=PEOPLE, seed=2)
    assert first != contents(shop)


def test_it_has_people_companies_memberships_and_orders(shop: Path) -> None:
    """As many good rows as asked for; memberships and orders point to customers that exist."""
    found = expected(shop)
    assert (PEOPLE, COMPANIES) == (len(found.people), len(found.companies))
    assert 50 < len(found.relationships) < PEOPLE
    assert found.relationships.keys() <= {(person, company) for person in found.people for company in found.companies}
    assert [] == ask(
        shop, "SELECT order_no FROM orders WHERE customer_id NOT IN (SELECT id FROM customers WHERE id > 0)"
    )
    assert {"email": "customer1@example.com"}.items() <= found.people["1"].items()


def test_each_kind_of_fault_is_there_once(shop: Path) -> None:
    """One row of each, two of the duplicate; their numbers are where the rows lie in the tables."""
    failures = expected(shop).failures
    assert [
        ("customers", "rows", "email_valid", "email"),
        ("customers", "rows", "identifier_present", "id"),
        ("customers", "rows", "attribute_value_length", "last_name"),
        ("customers", "rows", "identifier_unique", "id"),
        ("customers", "rows", "identifier_unique", "id"),
        ("customers", "rows", "accepted_values_plan", "plan"),
        ("customers", "relationships", "deleted_is_boolean", "deleted"),
    ] == [(row.sync, row.query, row.reason, row.field) for row in failures]
    people = [row.row_number for row in failures if (row.sync, row.query) == ("customers", "rows")]
    assert people == [row for (row,) in ask(shop, "SELECT rowid FROM customers WHERE id >= 900000 OR id IS NULL")]
    assert [failures[-1].row_number] == [row for (row,) in ask(shop, "SELECT rowid FROM memberships WHERE ended = 2")]


def test_empty_values_are_not_expected(shop: Path) -> None:
    """People without an e-mail address or a birthday arrive without these attributes."""
    (without,) = ask(shop, "SELECT id FROM customers WHERE email IS NULL AND id IS NOT NULL LIMIT 1")[0]
    assert "email" not in expected(shop).people[str(without)]


def test_mending_corrects_the_faults_alone(shop: Path) -> None:
    """What arrived before still does, the bad rows arrive too, and nothing fails."""
    before = expected(shop)
    mend(shop)
    after = expected(shop)
    assert before.people.items() <= after.people.items()
    assert {"900001", "900002", "900003", "900004", "900005", "900006"} == after.people.keys() - before.people.keys()
    emails = [person["email"] for person in after.people.values() if "email" in person]
    assert len(emails) == len(set(emails))
    assert before.companies == after.companies
    assert before.relationships.items() <= after.relationships.items()
    assert (1, ()) == (len(after.relationships) - len(before.relationships), after.failures)


def test_touched_customers_are_what_the_next_run_reads(shop: Path) -> None:
    """Nobody has changed since the first run, then exactly those who bought again; only good rows are touched."""
    since = int(LATER.timestamp())
    before = expected(shop)
    assert Expected({}, {}, {}, (), dict.fromkeys(before.extracted, 0)) == expected(shop, since=since)
    touched = touch(shop, 5, at=LATER)
    changed = expected(shop, since=since)
    assert 5 == len(touched)
    assert {str(number) for number in touched} == changed.people.keys()
    assert all(
        before.people[person]["orders_count"] + 1 == row["orders_count"] for person, row in changed.people.items()
    )
    assert () == changed.failures


def test_touching_happens_now_unless_asked_otherwise(shop: Path) -> None:
    """The clock of this machine, which is also the one that a run of an SQLite database starts by."""
    before = int(datetime.now(UTC).timestamp())
    assert 3 == len(touch(shop, 3))
    assert 3 == len(expected(shop, since=before).people)


@pytest.mark.parametrize(
    ("sync", "query"), [("customers", "rows"), ("customers", "relationships"), ("companies", "rows")]
)
def test_the_shipped_syncs_read_it(shop: Path, monkeypatch: pytest.MonkeyPatch, sync: str, query: str) -> None:
    """Their queries run on it and return as many rows as are expected; the sync files are valid."""
    project = load_project(SYNCS)
    config = project.syncs[sync]
    text = config.stream(query).query
    database = project.databases[config.database].model_copy(update={"path": shop})
    with connect(database) as session:
        rows = sum(batch.num_rows for batch in session.stream(text.replace("{{last_sync_time}}", "0")))
    assert expected(shop).extracted[sync, query] == rows


@pytest.mark.parametrize("name", ["customers", "companies"])
def test_the_checks_find_what_must_fail(shop: Path, tmp_path: Path, name: str) -> None:
    """The shipped syncs' rules reject the very rows, for the very reasons, that are expected."""
    project = load_project(SYNCS)
    sync = project.syncs[name]
    folder = RunFolder(tmp_path / "run")
    with connect(project.databases[sync.database].model_copy(update={"path": shop})) as session:
        extract(sync, session, folder, before=Before(), dialect=SPOKEN["sqlite"])
    assert not validate(sync, folder).stopped
    failed = [row for stream in sync.streams for row in folder.parts(stream.name).failed()]
    assert [row for row in expected(shop).failures if row.sync == name] == [
        ExpectedFailure(name, row.query, row.row_number, row.why.reason, row.why.field) for row in failed
    ]


def test_the_demo_leads_to_the_sandbox_unless_set_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workspace's addresses are this machine's by default."""
    monkeypatch.delenv("CUSTOMERIO_TRACK_URL", raising=False)
    monkeypatch.delenv("CUSTOMERIO_APP_URL", raising=False)
    workspace = load_project(SYNCS).destinations["main"]
    assert {"http://127.0.0.1:8700"} == {workspace.track_base_url(), workspace.app_base_url()}
