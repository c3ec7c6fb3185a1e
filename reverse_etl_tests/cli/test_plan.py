"""``plan`` on the screen: counts with a sign each, what to run next, and exit codes for CI."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reverse_etl.cli import words
from reverse_etl.cli.commands.plan import _show
from reverse_etl.config.gone import Gone
from reverse_etl.config.loader import load_project
from reverse_etl.destinations.table_powers import Effects
from reverse_etl.run.planned import Plan, StreamPlan
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import list_runs
from reverse_etl.state.store import open_store
from reverse_etl.syncs_page.plan_lines import lines, lines_in_table, why_not_compared
from reverse_etl_tests.project import SHOP, Project, fill, people
from reverse_etl_tests.servers.sandbox import RunningSandbox

QUERY = "SELECT id, email, plan FROM customers"


def test_a_plan_that_sends_nothing_explains_no_comparison(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """What is new or changed is of no use there; where something is sent it is said."""
    sync = load_project(project.folder / "syncs").syncs["people"]
    for requests, said in ((0, False), (1, True)):
        stream = StreamPlan(extracted=2, to_send=requests, rejected=0, excluded=2 - requests, requests=requests)
        _show(Plan("plan-1", "people", False, None, 0, {"rows": stream}), sync, words.console())
        assert said == ("does not compare" in " ".join(capsys.readouterr().out.split()))


@pytest.fixture
def shop(tmp_path: Path, sandbox: RunningSandbox) -> Project:
    """Three good rows and a bad one; a sync that compares and one that does not."""
    project = Project(tmp_path, {"COLUMNS": "80"})
    fill(tmp_path / "shop.db", [(str(n), f"u{n}@example.com", "free") for n in range(3)] + [("x", "none", "pro")])
    project.connections(SHOP, sandbox.url)
    project.write("customers.yaml", people(QUERY, "changes: {by: compare}\n"))
    project.write("plain.yaml", people(QUERY))
    return project


def test_a_plan_is_read_and_then_sent(shop: Project, sandbox: RunningSandbox) -> None:
    """What differs is counted with its sign; the last line is the command that sends it."""
    assert 7 == shop.reverse_etl("run", "customers").returncode
    with closing(sqlite3.connect(shop.folder / "shop.db")) as database, database:
        database.execute("UPDATE customers SET plan = 'gold' WHERE id = '1'")
        database.execute("DELETE FROM customers WHERE id = '2'")
    before = len([each for each in sandbox.requests() if "batch" in each["path"]])
    planned = shop.reverse_etl("plan", "customers", "--exit-code")
    assert (10, before) == (planned.returncode, len([each for each in sandbox.requests() if "batch" in each["path"]]))
    lines = planned.stdout.splitlines()
    assert "customers: 3 rows read, compared with what main acknowledged" == lines[0]
    assert [["~", "1", "changed"], ["=", "1", "unchanged:"]] == [line.split()[:3] for line in lines[1:3]]
    assert "would fail: email_valid 1" in planned.stdout
    assert max(map(len, lines)) <= 80
    command = lines[-1].split()
    sent = shop.reverse_etl(*command[1:])
    assert "1 delivered, 1 unchanged, 1 rejected" in sent.stderr
    again = shop.reverse_etl(*command[1:])
    assert (6, True) == (
        again.returncode,
        "another run has sent rows since the plan was made" in " ".join(again.stderr.split()),
    )
    assert 0 == shop.reverse_etl("plan", "customers", "--exit-code").returncode
    runs = json.loads(shop.reverse_etl("history", "customers", "--json").stdout)
    assert [(None, None), (0, 1), (3, 0)] == [(run["added"], run["changed"]) for run in runs], runs
    assert "changed" in shop.reverse_etl("history", "customers").stdout


def test_a_plan_says_which_check_would_stop_the_run(shop: Project) -> None:
    """Of what has not happened."""
    shop.write("customers.yaml", people(QUERY, "checks: [{max_failed_rows: {limit: 10%}}]\n"))
    planned = shop.reverse_etl("plan", "customers")
    assert 4 == planned.returncode
    last = " ".join(planned.stdout.split())
    assert last.endswith(
        "Check max_failed_rows would stop the run, and nothing would be sent: 1 of 4 rows failed, more than the 10% "
        "allowed. To let it pass in one run: reverse-etl run customers --accept max_failed_rows"
    )


def test_what_checks_warn_of_is_said_before_anything_is_sent(shop: Project) -> None:
    """By `plan`, for people and for programs, and by `preview`, whose JSON is the rows alone, on stderr."""
    shop.write("customers.yaml", people(QUERY, "checks: [{not_null: {column: plan, severity: warn}}]\n"))
    fill(shop.folder / "shop.db", [("1", "a@example.com", "free"), ("2", "b@example.com", None)])
    said = "warning: not_null_plan: 1 of 2 rows: column `plan` is NULL. First rows: 2."
    assert said in " ".join(shop.reverse_etl("plan", "customers").stdout.split())
    [warned] = json.loads(shop.reverse_etl("plan", "customers", "--json").stdout)["warnings"]
    assert ("not_null_plan", 1, 2) == (warned["check"], warned["rows"], warned["of"])
    assert said in " ".join(shop.reverse_etl("preview", "customers", "--json").stderr.split())


@pytest.mark.thorough
def test_a_plan_shows_values_where_they_are_wanted(shop: Project) -> None:
    """The attributes that differ always; keys, old and new values with `--values` alone, in JSON too."""
    shop.write("customers.yaml", people(QUERY, "changes: {by: compare, keep: 30d}\n"))
    assert 7 == shop.reverse_etl("run", "customers").returncode
    with closing(sqlite3.connect(shop.folder / "shop.db")) as database, database:
        database.execute("UPDATE customers SET plan = 'gold' WHERE id = '1'")
    plain, shown = (shop.reverse_etl("plan", "customers", *more).stdout for more in ((), ("--values",)))
    assert ["~", "1", "changed:", "plan", "1"] == plain.splitlines()[1].split()
    assert ("gold" in plain, '~ 1  plan "free" → "gold"' in shown) == (False, True)
    assert max(map(len, shown.splitlines())) <= 80
    found = json.loads(shop.reverse_etl("plan", "customers", "--values", "--json").stdout)
    [first] = found["streams"]["rows"]["first"]
    assert {"row_number": 2, "attributes": ["plan"], "key": "1", "values": {"plan": ['"free"', '"gold"']}} == first
    shop.reverse_etl("run", "customers")
    lines = shop.reverse_etl("history", "customers", "--key", "1").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert 'plan "free" "gold"' in [" ".join(line.split()[-3:]) for line in lines], lines
    [newest, _] = json.loads(shop.reverse_etl("history", "customers", "--key", "1", "--json").stdout)
    assert {"plan": ['"free"', '"gold"']} == newest["attributes"]


def test_a_sync_that_does_not_compare_says_what_is_not_known(shop: Project) -> None:
    """Counts of what would be sent and would fail, and the key that tells more."""
    planned = shop.reverse_etl("plan", "plain")
    assert 0 == planned.returncode
    assert "changes: {by: compare}" in planned.stdout
    found = json.loads(shop.reverse_etl("plan", "plain", "--json").stdout)
    assert (3, None, 1) == tuple(found["streams"]["rows"][name] for name in ("to_send", "changed", "rejected"))


@pytest.mark.parametrize(
    ("added", "generation", "says"),
    [(1, 0, "Nothing is known"), (1, 3, ""), (None, 0, "Which rows")],
)
def test_why_everything_counts_as_new_is_said_once(added: int | None, generation: int, says: str) -> None:
    """A sync that reads the log compares too; where a note gives the reason, nothing else does."""
    stream = StreamPlan(1, 1, 0, 0, added=added)
    found = why_not_compared(Plan("plan-1", "customers", False, generation, 0, {"rows": stream}))
    assert (says, bool(says)) == (found[: len(says)], bool(found))


def test_a_plan_that_is_not_there_is_a_mistake_of_the_user(shop: Project) -> None:
    """Exit code 2, and the command that makes one; no run begins, so the history has none."""
    run = shop.reverse_etl("run", "customers", "--plan", "plan-00000000")
    assert (2, True) == (run.returncode, "reverse-etl plan customers" in " ".join(run.stderr.split()))
    assert [] == list_runs(open_store(Home.at(shop.folder / "home").state_url))


@pytest.mark.parametrize(
    ("gone", "known", "written"),
    [
        (
            Gone("delete"),
            "acknowledged before, and no longer returned: gone, as the sync's file says",
            "to remove",
        ),
        (
            Gone("set", {"left": True}, of_table=True),
            "in the table, and not in the query: gone, as",
            "to mark as gone",
        ),
        (Gone("set", {"left": True}), "acknowledged before, and no longer returned: gone", "to mark as gone"),
        (Gone("delete", of_table=True), "in the table, and not in the query: gone, as the", "to remove"),
    ],
    ids=["own rows, deleted", "the table's, marked", "own rows, marked", "the table's, deleted"],
)
def test_what_is_gone_is_called_by_what_becomes_of_it(gone: Gone, known: str, written: str) -> None:
    """A mirror of a whole table remembers nothing that was acknowledged, and a mark removes nothing."""
    stream = StreamPlan(extracted=3, to_send=3, rejected=0, excluded=0, to_remove=2, in_table=Effects(deletes=2))
    found = [*lines(stream, gone), *lines_in_table(Effects(deletes=2), gone)]
    removed, in_table = (what for sign, _, what in found if sign == "-")
    assert (True, True) == (removed.startswith(known), in_table.startswith(written)), (removed, in_table)


def test_what_the_table_would_refuse_has_its_reasons() -> None:
    """And rows that are gone are counted also where the table has none of them."""
    effects = Effects(inserts=1, already_gone=2, refused=3, refused_by={"too_long (email)": 2, "null (plan)": 1})
    effects += Effects(refused=1, refused_by={"null (plan)": 1})
    assert [
        ("+", 1, "to add"),
        ("=", 2, "gone, and not there"),
        ("!", 4, "would fail: too_long (email) 2, null (plan) 2"),
    ] == lines_in_table(effects, Gone("delete"))
