"""Rows become messages once each, whatever happens: syncs as a user runs them, against the stand-in."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reverse_etl_tests import warm
from reverse_etl_tests.project import SHOP, Project
from reverse_etl_tests.servers.saas import RunningStandin, Saas
from reverse_etl_tests.servers.sandbox import wait_until

POST = "/api/chat.postMessage"
LOST = {"match": {"path": POST}, "do": {"drop": "after_apply"}}
SECTION = """\
  channel: "#general"
  message: "*{{company}}*: {{score}}"
  once_per: [company, level]
"""
WEBHOOK = '  message: "{{company}}"\n  once_per: [company]\n'


@pytest.fixture
def slack(saas: Saas) -> RunningStandin:
    """A workspace without a limit of its own."""
    standin = saas("slack")
    standin.set(messages_a_second=0)
    return standin


@pytest.fixture
def alerts(project: Project, slack: RunningStandin) -> Project:
    """A project with a sync of two companies' messages."""
    project.environment |= {"SLACK_BOT_TOKEN": "sandbox", "REVERSE_ETL_RETRY_BUDGET_S": "20"}
    project.environment["SLACK_WEBHOOK_URL"] = f"{slack.url}/services/T000SANDBOX/B000SANDBOX/sandbox"
    entry = "bot_token: ${SLACK_BOT_TOKEN}\n    url: " + slack.url + "/api"
    project.write(
        "connections.yaml",
        f"databases:\n{SHOP}destinations:\n  alerts:\n    type: slack\n    {entry}\n"
        "    messages_per_second_per_channel: 1000\n    requests_per_second: 1000\n"
        "  hook:\n    type: slack\n    webhook_url: ${SLACK_WEBHOOK_URL}\n    messages_per_second_per_channel: 1000\n",
    )
    (project.folder / "syncs" / "people.yaml").unlink()
    companies(project, ("Acme", 12, "high"), ("B & <C>", 30, "high"))
    at_risk(project)
    return project


def companies(project: Project, *rows: tuple[object, ...]) -> None:
    """Makes the table again."""
    with closing(sqlite3.connect(project.folder / "shop.db")) as database, database:
        database.execute("DROP TABLE IF EXISTS companies")
        database.execute("CREATE TABLE companies (company, score, level)")
        database.executemany("INSERT INTO companies VALUES (?, ?, ?)", rows)


def at_risk(project: Project, section: str = SECTION, *, to: str = "alerts", more: str = "") -> None:
    """The sync ``at_risk``."""
    project.write(
        "at_risk.yaml",
        f"database: shop\ndestination: {to}\nschedule: manual\nslack:\n{section}{more}"
        "query: SELECT company, score, level FROM companies\n",
    )


def texts(slack: RunningStandin) -> list[str]:
    """Every message's text, in order."""
    return [message["text"] for message in slack.records("messages")]


def counts(report: dict[str, Any]) -> tuple[int, int, int, int]:
    """Rows delivered, excluded, refused, undelivered."""
    rows = report["rows"]
    return rows["delivered"], rows["excluded"], rows["refused"], rows["undelivered"]


def failed_rows(report: dict[str, Any]) -> list[dict[str, str]]:
    """The run's failed rows."""
    with Path(report["failed_rows_csv"]).open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_row_is_a_message_and_only_once_per_change(alerts: Project, slack: RunningStandin) -> None:
    """Values are escaped; a later run sends what has new values of ``once_per``, and the first of two such rows."""
    code, report = alerts.run("at_risk")
    assert (0, (2, 0, 0, 0)) == (code, counts(report))
    assert ["*Acme*: 12", "*B &amp; &lt;C&gt;*: 30"] == texts(slack)
    companies(alerts, ("Acme", 11, "high"), ("Acme", 5, "critical"), ("Acme", 4, "critical"))
    code, report = alerts.run("at_risk")
    assert (0, (1, 2, 0, 0)) == (code, counts(report))
    assert {"already_sent": 2} == report["excluded_by"]
    assert ["*Acme*: 5"] == texts(slack)[2:]


@pytest.mark.thorough
def test_an_answer_that_is_lost_posts_nothing_twice(alerts: Project, slack: RunningStandin) -> None:
    """The channel's history settles it."""
    slack.faults(LOST)
    code, report = alerts.run("at_risk")
    assert (0, (2, 0, 0, 0)) == (code, counts(report))
    assert 2 == len(texts(slack))


@pytest.mark.thorough
@pytest.mark.parametrize(("doubt", "posted"), [("leave", 1), ("resend", 2)])
def test_a_webhook_cannot_settle_a_doubt(alerts: Project, slack: RunningStandin, doubt: str, posted: int) -> None:
    """The row is left as a failed one, for later runs and retries too; or sent again where that is asked for."""
    companies(alerts, ("Acme", 1, "high"))
    at_risk(alerts, WEBHOOK, to="hook", more=f"  on_doubt: {doubt}\n")
    slack.faults({"match": {"path": "/services"}, "skip": 2, "do": {"drop": "after_apply"}})
    code, report = alerts.run("at_risk")
    assert posted == len(texts(slack))
    if doubt == "resend":
        assert (0, (1, 0, 0, 0)) == (code, counts(report))
        return
    assert (0, 0, 1, 0) == counts(report)
    (row,) = failed_rows(report)
    assert ("slack", "in_doubt", "Acme") == (row["stage"], row["reason"], row["identifier"])
    assert "on_doubt: resend" in row["message"]
    code, report = alerts.run("at_risk")
    assert (0, 1, 0, 0) == counts(report)
    assert {"may_have_been_sent": 1} == report["excluded_by"]
    shown = alerts.reverse_etl("errors", "at_risk").stdout
    assert ("may_have_been_sent" in shown, "on_doubt: resend" in " ".join(shown.split())) == (True, True)
    assert 0 == alerts.reverse_etl("retry", "at_risk").returncode
    assert 1 == len(texts(slack))


@pytest.mark.thorough
def test_what_a_killed_run_may_have_sent_is_asked_of_the_channel(alerts: Project, slack: RunningStandin) -> None:
    """A message that is there is not sent again, and is known from then on; one that is not there is sent."""

    def doubt() -> None:
        with closing(sqlite3.connect(alerts.folder / "home" / "state.db")) as state, state:
            state.execute("UPDATE reverse_etl_sent SET in_doubt = 1")

    alerts.run("at_risk")
    doubt()
    for _ in range(2):
        assert (0, 2, 0, 0) == counts(alerts.run("at_risk")[1])
    asked = [each for each in slack.requests() if each["path"] == "/api/conversations.history"]
    assert (2, 2) == (len(asked), len(texts(slack)))
    doubt()
    slack.forget()
    slack.set(messages_a_second=0)
    assert (2, 0, 0, 0) == counts(alerts.run("at_risk")[1])
    assert 2 == len(texts(slack))


@pytest.mark.thorough
def test_more_messages_than_allowed_are_none(alerts: Project, slack: RunningStandin) -> None:
    """The run fails before the first and says what to do."""
    at_risk(alerts, more="  max_messages: 1\n")
    done = alerts.reverse_etl("run", "at_risk")
    assert (4, []) == (done.returncode, texts(slack))
    assert "2 messages would be sent, and max_messages is 1: none was sent." in done.stderr + done.stdout
    assert "digest_above: 20" in done.stderr + done.stdout


@pytest.mark.thorough
def test_a_plan_knows_what_was_sent_before_and_what_is_too_much(alerts: Project, slack: RunningStandin) -> None:
    """It posts nothing: rows with a message are left out, and a run of too many messages is foretold, with its code."""
    at_risk(alerts, more="  max_messages: 1\n")
    done = alerts.reverse_etl("plan", "at_risk")
    said = " ".join(done.stdout.split())
    assert (4, []) == (done.returncode, texts(slack))
    assert "2 messages would be sent, and max_messages is 1" in said
    assert "--plan" not in said
    at_risk(alerts)
    alerts.run("at_risk")
    rows = json.loads(alerts.reverse_etl("plan", "at_risk", "--json").stdout)["streams"]["rows"]
    assert (0, 2, 0) == (rows["to_send"], rows["excluded"], rows["requests"])


@pytest.mark.thorough
def test_a_digest_is_one_message_of_many_rows(alerts: Project, slack: RunningStandin) -> None:
    """Long ones are several, each within Slack's limits; a later run sends none of their rows."""
    companies(alerts, *((f"Company {number} {'x' * 900}", number, "high") for number in range(60)))
    at_risk(alerts, more="  digest_above: 2\n")
    code, report = alerts.run("at_risk")
    assert (0, (60, 0, 0, 0)) == (code, counts(report))
    messages = texts(slack)
    assert (2, 60) == (len(messages), sum(len(text.splitlines()) for text in messages))
    assert max(map(len, messages)) <= 40_000
    assert (0, 60, 0, 0) == counts(alerts.run("at_risk")[1])


@pytest.mark.thorough
def test_a_message_to_a_person_goes_by_their_address(alerts: Project, slack: RunningStandin) -> None:
    """Nobody with the address is a refused row; others are delivered."""
    companies(alerts, ("ada@example.com", 1, ""), ("nobody@example.com", 2, ""))
    at_risk(alerts, '  channel: {email: company}\n  message: "{{score}}"\n')
    code, report = alerts.run("at_risk")
    assert (7, (1, 0, 1, 0)) == (code, counts(report))
    assert [("users_not_found", "slack")] == [(row["reason"], row["stage"]) for row in failed_rows(report)]
    assert ["1"] == texts(slack)


@pytest.mark.thorough
def test_rows_name_their_channels(alerts: Project, slack: RunningStandin) -> None:
    """Unknown, archived, not a member: those rows are refused, each with Slack's word."""
    companies(alerts, ("general", 1, ""), ("#random", 2, ""), ("old-alerts", 3, ""), ("nowhere", 4, ""))
    at_risk(alerts, '  channel: {column: company}\n  message: "{{score}}"\n')
    code, report = alerts.run("at_risk")
    assert (7, (1, 0, 3, 0)) == (code, counts(report))
    reasons = {row["row_number"]: row["reason"] for row in failed_rows(report)}
    assert {"2": "not_in_channel", "3": "is_archived", "4": "channel_not_found"} == reasons
    assert ["1"] == texts(slack)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("channel", "said", "code"),
    [
        ("#genral", "did you mean #general?", 2),
        ("#random", "the app is not in channel #random", 5),
        ("#old-alerts", "channel #old-alerts is archived", 2),
    ],
)
def test_a_channel_that_takes_nothing_is_found_before_the_first_row(
    alerts: Project, slack: RunningStandin, channel: str, said: str, code: int
) -> None:
    """Nothing is sent; the code says whether the sync's file or a right in Slack is to be changed."""
    at_risk(alerts, SECTION.replace("#general", channel))
    done = alerts.reverse_etl("run", "at_risk")
    assert code == done.returncode
    assert said in done.stdout + done.stderr
    assert [] == [each for each in slack.requests() if each["path"] == POST]


@pytest.mark.thorough
@pytest.mark.parametrize("options", [(), ("--full",)])
def test_kill_9_between_the_post_and_its_answer_posts_nothing_twice(
    alerts: Project, slack: RunningStandin, options: tuple[str, ...]
) -> None:
    """The run that continues finds the message in its channel, and sends the rest; so does one that reads anew."""
    companies(alerts, *((f"c{number}", number, "high") for number in range(5)))
    slack.faults({"match": {"path": POST}, "skip": 2, "always": True, "do": {"endless": "head"}})
    process = warm.started("run", "at_risk", folder=alerts.folder, environment=alerts.env())
    wait_until(lambda: len(texts(slack)) >= 3, timeout_s=60)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    slack.clear_faults()
    code, report = alerts.run("at_risk", *options)
    assert 0 == code
    assert 5 == report["rows"]["delivered"] + report["rows"]["excluded"]
    assert sorted(f"*c{number}*: {number}" for number in range(5)) == sorted(texts(slack))
