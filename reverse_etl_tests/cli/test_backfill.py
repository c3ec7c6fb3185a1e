"""Old events: left out by every run that nobody confirmed, counted in a question, sent with their own time."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import typer

from reverse_etl.changeset.scope import Scope
from reverse_etl.cli.confirmed import confirmed
from reverse_etl.config.loader import load_project
from reverse_etl.errors import CheckFailedError
from reverse_etl_tests.project import CREDENTIALS, SHOP, Project
from reverse_etl_tests.servers.sandbox import RunningSandbox

HOUR_S = 3_600
AGES_H = {1: 0, 2: 50, 3: 70, 4: 80, 5: 24 * 30, 6: 24 * 400}
"""By order: how many hours ago it was placed; the customer is the order's number, halved."""

SYNC = """\
database: shop
workspace: main
schedule: manual
events: {name: order_placed, identify_by: email, backfill: true}
query: |
  SELECT email, placed_at AS occurred_at, order_no AS event_id, total FROM orders
  WHERE placed_at >= {{last_sync_time}} AND placed_at < {{until}}
"""


@pytest.fixture
def shop(tmp_path: Path, sandbox: RunningSandbox) -> Project:
    """Six orders of four people, three of them older than 72 hours, and a sync of their events."""
    project = Project(tmp_path)
    fill(tmp_path / "shop.db", int(time.time()))
    project.connections(SHOP, sandbox.url)
    project.write("order_placed.yaml", SYNC)
    return project


def fill(path: Path, now: int) -> None:
    """Makes the orders."""
    rows = [(n, f"U{n // 2}@example.com", now - hours * HOUR_S - 60, n * 10) for n, hours in AGES_H.items()]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE orders (order_no, email, placed_at INTEGER, total)")
        database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)


def sent(sandbox: RunningSandbox, shop: Project) -> list[int]:
    """The orders whose events are there, each with the time at which it was placed."""
    with closing(sqlite3.connect(shop.folder / "shop.db")) as database:
        placed = dict(database.execute("SELECT placed_at, order_no FROM orders"))
    return sorted(placed[event["timestamp"]] for event in sandbox.events())


@pytest.mark.thorough
def test_a_run_that_nobody_confirmed_leaves_old_events_out_and_says_so(shop: Project, sandbox: RunningSandbox) -> None:
    """As a scheduled one does: the young ones go, the message counts the others and names the command."""
    code, report = shop.run("order_placed")
    assert (0, 3, 3) == (code, report["rows"]["delivered"], report["rows"]["excluded"])
    assert [1, 2, 3] == sent(sandbox, shop)
    history = json.loads(shop.reverse_etl("history", "order_placed", "--json").stdout)
    assert "3 events were left out, older than 72 hours" in (message := history[0]["message"])
    assert "reverse-etl run order_placed --full" in message
    assert 0 == shop.run("order_placed", "--since", "2020-01-01")[0]
    assert [1, 2, 3] == sent(sandbox, shop)


def test_a_backfill_names_its_numbers_and_sends_the_time_of_the_past(shop: Project, sandbox: RunningSandbox) -> None:
    """Everything, once, though the young ones were sent before; the next run sends nothing again."""
    assert 0 == shop.run("order_placed")[0]
    done = shop.reverse_etl("run", "order_placed", "--full", "--yes", "--json")
    assert "order_placed would send 6 events of 4 people, from " in done.stderr
    assert "3 are older than 72 hours and keep the time at which they happened." in done.stderr
    assert "3 happened within the last 72 hours and can trigger campaigns, none of the old ones" in done.stderr
    assert (0, 6) == (done.returncode, json.loads(done.stdout)["rows"]["delivered"])
    assert [1, 2, 3, 4, 5, 6] == sent(sandbox, shop)
    assert 0 == shop.run("order_placed")[0]
    assert [1, 2, 3, 4, 5, 6] == sent(sandbox, shop)


@pytest.mark.thorough
def test_since_and_until_bound_a_backfill(shop: Project, sandbox: RunningSandbox) -> None:
    """The rest stays where it is, and what can trigger is left to the runs that are due."""
    day = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 24 * 40 * HOUR_S))
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 72 * HOUR_S))
    done = shop.reverse_etl("run", "order_placed", "--since", day, "--until", until, "--yes")
    assert "2 events of 1 person" in done.stderr
    assert "None happened within the last 72 hours, so none can trigger a campaign." in done.stderr
    assert [4, 5] == sent(sandbox, shop)


@pytest.mark.thorough
def test_old_events_that_can_trigger_are_counted_apart(shop: Project) -> None:
    """With a `max_age` under 72 hours; a plan has the numbers too, and is asked about when it is sent."""
    shop.write("order_placed.yaml", SYNC.replace("backfill: true", "max_age: 2d, backfill: true"))
    made = json.loads(shop.reverse_etl("plan", "order_placed", "--json").stdout)
    assert {"rows": 6, "people": 4, "old": 5, "can_trigger": 3, "old_can_trigger": 2}.items() <= made[
        "backfill"
    ].items()
    assert (
        "3 happened within the last 72 hours and can trigger campaigns, 2 of the old ones among them."
        in (made["backfill"]["sentence"])
    )
    assert "older than `max_age: 2d`" in shop.reverse_etl("plan", "order_placed").stdout
    refused = shop.reverse_etl("run", "order_placed", "--plan", made["plan_id"])
    assert (2, True) == (refused.returncode, "--yes" in refused.stderr)
    assert 6 == shop.run("order_placed", "--plan", made["plan_id"], "--yes")[1]["rows"]["delivered"]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_is_asked_before_the_first_row(
    shop: Project, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No sends nothing; yes is a plan of exactly these rows; where nothing is old no one is asked."""
    for name, value in (CREDENTIALS | {"REVERSE_ETL_HOME": str(shop.folder / "home")}).items():
        monkeypatch.setenv(name, value)
    syncs = shop.folder / "syncs"
    project = load_project(syncs)
    config = project.syncs["order_placed"]

    def asked(answer: str, scope: Scope) -> Scope:
        monkeypatch.setattr(sys, "stdin", _Terminal(answer))
        return confirmed(config, project, syncs, scope, yes=False)

    with pytest.raises(typer.Abort):
        asked("n\n", Scope(full=True))
    assert "6 events of 4 people" in " ".join((shown := capsys.readouterr().err).split())
    assert "Send them?" in shown
    assert asked("y\n", Scope(full=True)).plan.startswith("plan-")
    capsys.readouterr()
    recent = Scope(since=int(time.time()) - 71 * HOUR_S)
    assert recent == asked("", recent)
    assert "Send them?" not in capsys.readouterr().err
    assert [] == sent(sandbox, shop)


def test_a_check_that_stops_a_backfill_says_how_to_let_it_pass(
    shop: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To a person at once, without a question; with `--yes` the run of the plan says it, so that the history has it."""
    shop.write("order_placed.yaml", f"{SYNC}checks:\n  - row_count: {{max: 5}}\n")
    let_pass = "To let it pass in one run: reverse-etl run order_placed --accept row_count"
    for name, value in (CREDENTIALS | {"REVERSE_ETL_HOME": str(shop.folder / "home")}).items():
        monkeypatch.setenv(name, value)
    project = load_project(shop.folder / "syncs")
    monkeypatch.setattr(sys, "stdin", _Terminal(""))
    asked = (project.syncs["order_placed"], project, shop.folder / "syncs", Scope(full=True))
    with pytest.raises(CheckFailedError) as stopped:
        confirmed(*asked, yes=False)
    assert let_pass in str(stopped.value)
    assert confirmed(*asked, yes=True).plan.startswith("plan-")
    assert confirmed(*asked[:3], Scope(full=True, accept="row_count"), yes=True).plan.startswith("plan-")
    assert "6 events of 4 people" in " ".join(capsys.readouterr().err.split())


@pytest.mark.thorough
def test_without_backfill_nothing_is_different(shop: Project, sandbox: RunningSandbox) -> None:
    """Events of any age go, or with `max_age` none that is older, whatever a person says."""
    shop.write("order_placed.yaml", SYNC.replace(", backfill: true", ", max_age: 2d"))
    assert 0 == shop.run("order_placed", "--full", "--yes")[0]
    assert [1] == sent(sandbox, shop)
    shop.write("order_placed.yaml", SYNC.replace(", backfill: true", ""))
    assert 0 == shop.run("order_placed", "--full")[0]
    assert [1, 2, 3, 4, 5, 6] == sent(sandbox, shop)
