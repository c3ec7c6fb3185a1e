"""``demo --example d2c``: a shop's customers, orders, carts, subscriptions and refunds, with a backfill in between."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.cli import words
from reverse_etl.cli.demo_sandbox import ADDRESSES, start_sandbox
from reverse_etl.cli.demo_syncs import write_missing
from reverse_etl.cli.tables import print_line, say

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from reverse_etl.config.loader import ProjectConfig
    from reverse_etl.demo.d2c import Shop
    from reverse_etl.state.home import Home

SYNCS: Final = (
    "customers",
    "order_placed",
    "first_purchase_made",
    "cart_abandoned",
    "subscription_canceled",
    "refund_issued",
    "qa_repeat_buyers",
    "qa_subscribers",
)
"""In the order in which they are run: an event finds its person there, and so does a segment."""

SECRETS: Final = ("CUSTOMERIO_SITE_ID", "CUSTOMERIO_TRACK_API_KEY", "CUSTOMERIO_APP_API_KEY")
_DAYS: Final = 30
_HOURS: Final = 6


def play(folder: Path, console: Console, *, keep: bool) -> bool:
    """Makes the shop, starts a sandbox, runs the syncs in three acts; whether all was as it must be.

    Args:
        folder: Where its syncs and its database are, or are put.
        console: Where it is shown.
        keep: Whether the sandbox keeps running afterwards.
    """
    from reverse_etl.config.loader import load_project
    from reverse_etl.demo.d2c import DAY_S, HOUR_S, open_shop
    from reverse_etl.state.home import Home

    syncs = folder / "syncs"
    write_missing("d2c_syncs", syncs, console)
    os.environ.update(dict.fromkeys(SECRETS, "sandbox"))
    home, project = Home.from_environment(syncs), load_project(syncs)
    now = int(time.time())
    shop = open_shop(folder / "shop.db", now - _DAYS * DAY_S, mishaps=False)
    shop.live(now - _HOURS * HOUR_S)
    say(console, f"Made a shop of {_DAYS} days, {len(shop.orders):,} orders: {words.place(shop.path)}")
    sandbox = start_sandbox(home, project.destinations["main"])  # type: ignore[arg-type]
    kept = False
    try:
        os.environ.update(dict.fromkeys(ADDRESSES, sandbox.url))
        say(console, f"Started the workspace, a sandbox: {sandbox.url}")
        acts = _Acts(project, syncs, home, shop, sandbox.url, console)
        acts.play()
        kept = keep
    finally:
        if kept:
            sandbox.hand_over()
        else:
            sandbox.stop()
    _what_next(console, syncs, sandbox.url, kept=kept)
    return acts.as_it_must


@dataclass(slots=True)
class _Acts:
    """What is shown, one act after the other.

    Attributes:
        as_it_must: Whether each run ended, and the workspace was filled, as it must be.
    """

    project: ProjectConfig
    syncs: Path
    home: Home
    shop: Shop
    url: str
    console: Console
    as_it_must: bool = True

    def play(self) -> None:
        """All runs."""
        self._title("1. Customers, what happened in the last days, and segments; old events are left out")
        for name in SYNCS:
            self._run(name, first=True)
        self._compare(all_orders=False)

        self._title("2. The orders of before, with the time at which they were placed")
        say(self.console, "A person is asked; --yes answers for the demo:")
        self._run("order_placed", backfill=True)
        self._compare()

        self._title(f"3. {_HOURS} hours later")
        self.shop.live(int(time.time()))
        for name in SYNCS:
            self._run(name)
        self._compare()

    def _title(self, title: str) -> None:
        self.console.print()
        say(self.console, title, style="bold")

    def _run(self, name: str, *, first: bool = False, backfill: bool = False) -> None:
        """Runs a sync; the first time whole, after runs of an earlier demo too."""
        from reverse_etl.changeset.scope import Scope
        from reverse_etl.cli.commands.run import execute, show
        from reverse_etl.cli.confirmed import confirmed
        from reverse_etl.report import Status
        from reverse_etl.state.store import open_store
        from reverse_etl.state.syncs import last_sync_time

        full = backfill or (first and last_sync_time(open_store(self.home.state_url), name) > 0)
        options = f"{' --full' if full else ''}{' --yes' if backfill else ''}"
        self.console.print()
        print_line(self.console, words.text(f"$ reverse-etl run {name} --syncs {self.syncs}{options}", "bold"))
        sync, scope = self.project.syncs[name], Scope(full=full)
        if backfill:
            scope = confirmed(sync, self.project, self.syncs, scope, yes=True)
        report = execute(sync, self.syncs, scope=scope)
        show(replace(report, message="") if backfill else report, self.console)
        if report.status is Status.CANCELED:
            raise KeyboardInterrupt
        self.as_it_must &= report.status is Status.COMPLETED

    def _compare(self, *, all_orders: bool = True) -> None:
        """Looks into the sandbox by its own window and compares it with the shop."""
        from reverse_etl.demo.d2c import expected_people, expected_segments

        people = {
            each["id"]: {**each["attributes"], "id": each["id"], "email": each["email"]}
            for each in self._held("people")
        }
        segments = {
            each["name"]: {member["id"] for member in each["people"]}
            for each in self._held("segments")
            if each["name"].startswith("QA ")
        }
        placed = [
            (each["attributes"]["order_no"], each["timestamp"])
            for each in self._held("events")
            if each["name"] == "order_placed"
        ]
        wanted_people = {number: {"id": number} | each for number, each in expected_people(self.shop).items()}
        found: list[tuple[str, Any, Any]] = [
            (f"{len(people):,} people", people, wanted_people),
            ("members of the QA segments", segments, expected_segments(self.shop)),
        ]
        if all_orders:
            orders = sorted((each.order_no, each.placed_at) for each in self.shop.orders)
            found.append((f"{len(placed):,} events order_placed", sorted(placed), orders))
        self.console.print()
        for words_of, arrived, wanted in found:
            same = arrived == wanted
            self.as_it_must &= same
            verdict = words.text("equal to", "green") if same else words.text("not equal to", "red")
            say(self.console, words.text(f"{words_of}, ").append_text(verdict).append(" the shop"))

    def _held(self, kind: str) -> list[dict[str, Any]]:
        import httpx

        found: list[dict[str, Any]] = httpx.get(f"{self.url}/_sandbox/{kind}", timeout=60, trust_env=False).json()
        return found


def _what_next(console: Console, syncs: Path, url: str, *, kept: bool) -> None:
    console.print()
    say(console, "Next, in this folder", style="bold")
    console.print()
    for name in SECRETS:
        print_line(console, words.text(f"  export {name}=sandbox"))
    for name in ADDRESSES:
        print_line(console, words.text(f"  export {name}={url}"))
    print_line(console, words.text(f"  reverse-etl status --syncs {syncs}"))
    print_line(console, words.text(f"  reverse-etl plan order_placed --syncs {syncs}"))
    print_line(console, words.text(f"  reverse-etl ui --syncs {syncs}"))
    if kept:
        console.print()
        say(console, f"The workspace: {url} (it ends after an hour without a request)")
