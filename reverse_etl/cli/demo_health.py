"""``demo --example health``: scores of customers to Salesforce, Intercom and Slack, each service a sandbox."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.cli import words
from reverse_etl.cli.demo_syncs import write_missing
from reverse_etl.cli.tables import print_line, say

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from reverse_etl.cli.demo_sandbox import DemoServices
    from reverse_etl.config.loader import ProjectConfig
    from reverse_etl.state.home import Home

SYNCS: Final = ("account_health", "contact_health", "health_alerts")
SERVICES: Final = ("salesforce", "intercom", "slack")
ADDRESSES: Final = {"salesforce": "SALESFORCE_URL", "intercom": "INTERCOM_URL", "slack": "SLACK_URL"}
SECRETS: Final = ("SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET", "INTERCOM_TOKEN", "SLACK_BOT_TOKEN")

_DAY_S: Final = 86_400
_TITLES: Final = {"salesforce": "Salesforce", "intercom": "Intercom", "slack": "Slack"}


def play(folder: Path, console: Console, *, keep: bool) -> bool:
    """Makes the scores, starts the sandboxes, runs the three syncs in three acts; whether all was as it must be.

    Args:
        folder: Where its syncs and its table are, or are put.
        console: Where it is shown.
        keep: Whether the sandboxes go on afterwards.
    """
    from reverse_etl.cli.demo_sandbox import start_services
    from reverse_etl.config.loader import load_project
    from reverse_etl.demo.health import create_health
    from reverse_etl.state.home import Home

    syncs = folder / "syncs"
    write_missing("health_syncs", syncs, console)
    os.environ.update(dict.fromkeys(SECRETS, "sandbox"))
    home = Home.from_environment(syncs)
    table, now = folder / "health.duckdb", int(time.time())
    create_health(table, now - _DAY_S)
    say(console, f"Made the scores: {words.place(table)}")
    services = start_services(home, SERVICES)
    kept = False
    try:
        for name, url in services.urls.items():
            os.environ[ADDRESSES[name]] = f"{url}/api" if name == "slack" else url
            say(console, f"Started {_TITLES[name]}, a sandbox: {url}")
        acts = _Acts(load_project(syncs), syncs, home, table, services, console, now)
        acts.play()
        kept = keep
    finally:
        if kept:
            services.hand_over()
        else:
            services.stop()
    _what_next(console, syncs, services, kept=kept)
    return acts.as_it_must


@dataclass(slots=True)
class _Acts:
    """What is shown, one act after the other.

    Attributes:
        alerts: The messages that were to be posted so far.
        as_it_must: Whether each run ended, and the services were filled, as it must be.
    """

    project: ProjectConfig
    syncs: Path
    home: Home
    table: Path
    services: DemoServices
    console: Console
    now: int
    alerts: list[str] = field(default_factory=list)
    as_it_must: bool = True

    def play(self) -> None:
        """All runs."""
        from reverse_etl.demo.health import alert, change, expected_health, scores_of

        self._title("1. All customers; three are at risk")
        self.alerts += expected_health(self.table).alerts
        self._run_all(first=True)

        self._title("2. Two more fall below 40, one gets well, and one who is at risk gets worse")
        change(self.table, {"C0010": 31.0, "C0020": 22.5, "C0001": 80.0, "C0002": 5.0}, self.now - 30)
        self.alerts += [alert(*each) for each in scores_of(self.table, "C0010", "C0020")]
        self._run_all()
        say(self.console, "Who was at risk already is not alerted about again.")

        self._title("3. Nothing has changed")
        self._run_all()

    def _run_all(self, *, first: bool = False) -> None:
        for name in SYNCS:
            self._run(name, first=first)
        self._compare()

    def _title(self, title: str) -> None:
        self.console.print()
        say(self.console, title, style="bold")

    def _run(self, name: str, *, first: bool) -> None:
        """Runs a sync; the first time whole, after runs of an earlier demo too."""
        from reverse_etl.changeset.scope import Scope
        from reverse_etl.cli.commands.run import execute, show
        from reverse_etl.report import Status
        from reverse_etl.state.store import open_store
        from reverse_etl.state.syncs import last_sync_time

        full = first and last_sync_time(open_store(self.home.state_url), name) > 0
        self.console.print()
        command = f"$ reverse-etl run {name} --syncs {self.syncs}{' --full' if full else ''}"
        print_line(self.console, words.text(command, "bold"))
        report = execute(self.project.syncs[name], self.syncs, scope=Scope(full=full))
        show(report, self.console)
        if report.status is Status.CANCELED:
            raise KeyboardInterrupt
        self.as_it_must &= report.status is Status.COMPLETED

    def _compare(self) -> None:
        """Looks into the sandboxes by their own windows and compares them with the table."""
        from reverse_etl.demo.health import expected_health

        must = expected_health(self.table)
        accounts = {each["Customer_No__c"]: each["Health_Score__c"] for each in self._held("salesforce", "Account")}
        contacts = {
            each["external_id"]: (
                each["custom_attributes"].get("score"),
                ", ".join(sorted(tag for tag in each["tags"] if tag.startswith("health_"))),
            )
            for each in self._held("intercom", "contacts")
        }
        messages = sorted(each["text"] for each in self._held("slack", "messages"))
        self.console.print()
        for words_of, arrived, wanted in (
            (f"{len(accounts):,} accounts in Salesforce", accounts, must.accounts),
            (f"{len(contacts):,} contacts in Intercom, each with one tag", contacts, must.contacts),
            (f"{len(messages):,} messages in Slack", messages, sorted(self.alerts)),
        ):
            same = arrived == wanted
            self.as_it_must &= same
            verdict = words.text("equal to", "green") if same else words.text("not equal to", "red")
            say(self.console, words.text(f"{words_of}, ").append_text(verdict).append(" the scores"))

    def _held(self, service: str, kind: str) -> list[dict[str, Any]]:
        import httpx

        url = f"{self.services.urls[service]}/_sandbox/records/{kind}?limit=1000"
        found: list[dict[str, Any]] = httpx.get(url, timeout=60, trust_env=False).json()
        return found


def _what_next(console: Console, syncs: Path, services: DemoServices, *, kept: bool) -> None:
    console.print()
    say(console, "Next, in this folder", style="bold")
    console.print()
    for name in SECRETS:
        print_line(console, words.text(f"  export {name}=sandbox"))
    for name, url in services.urls.items():
        address = f"{url}/api" if name == "slack" else url
        print_line(console, words.text(f"  export {ADDRESSES[name]}={address}"))
    print_line(console, words.text(f"  reverse-etl status --syncs {syncs}"))
    print_line(console, words.text(f"  reverse-etl ui --syncs {syncs}"))
    if kept:
        console.print()
        for name, url in services.urls.items():
            say(console, f"{_TITLES[name]}: {url} (it ends after an hour without a request)")
