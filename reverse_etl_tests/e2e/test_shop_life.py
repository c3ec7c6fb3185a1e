"""21 days of a consumer shop through scheduled runs: what is in the workspace is the shop's truth, exactly.

The shipped syncs of ``demo --example d2c`` run when Dagster's scheduler says, by a clock that jumps from look to look.
Loads repeat rows and bring others days late, money goes back, Berlin's clocks change, the machine is off for four days,
the workspace refuses everybody for one look, and old orders are sent by a run that was confirmed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

import reverse_etl.demo
from reverse_etl.changeset.scope import Scope
from reverse_etl.cli.confirmed import confirmed
from reverse_etl.config.loader import load_project
from reverse_etl.definitions import job
from reverse_etl.demo.d2c import DAY_S, HOUR_S, Shop, expected_people, expected_segments, open_shop
from reverse_etl.report import RunReport, Status
from reverse_etl.state.home import Home
from reverse_etl.state.run_history import find_run
from reverse_etl.state.store import open_store
from reverse_etl_tests.defs.daemon import Daemon, shipped_instance
from reverse_etl_tests.project import CREDENTIALS
from reverse_etl_tests.servers.sandbox import RunningSandbox
from reverse_etl_tests.simulated_clock import SimulatedClock, at_that_time, simulated_clock

pytestmark = pytest.mark.thorough

OPENS: Final = datetime(2026, 3, 10, 6, tzinfo=UTC)
BEGINS: Final = datetime(2026, 3, 15, 6, tzinfo=UTC)
DAYS: Final = 21
LOOKS_H: Final = (40, 50, 60)
"""Hours from one look to the next, over and over."""
OFF: Final = (BEGINS + timedelta(days=7), BEGINS + timedelta(days=11, hours=12))
REFUSED: Final = (BEGINS + timedelta(days=3), BEGINS + timedelta(days=5))
GUARD_S: Final = {
    "order_placed": 3 * DAY_S,
    "first_purchase_made": 3 * DAY_S,
    "cart_abandoned": 2 * DAY_S,
    "subscription_canceled": 3 * DAY_S,
    "refund_issued": 3 * DAY_S,
}
DUE: Final = {"customers", *GUARD_S}
"""At each look; the segments once a week."""
CAN_TRIGGER_S: Final = 72 * HOUR_S

Event = tuple[str, str, int]
"""Name, what it is about, and when it happened."""

Happened = tuple[str, int, int]
"""What an event is about, when it happened, and to whom."""


@dataclass(slots=True)
class Truth:
    """Which events must be there, worked out from what happened and from when runs completed, without any query.

    Attributes:
        sent: With the person of each.
        left_out: Orders that were too old when they were read.
    """

    sent: dict[Event, str] = field(default_factory=dict)
    left_out: set[Event] = field(default_factory=set)
    _read_to: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GUARD_S, 0))
    _bought: set[int] = field(default_factory=set)

    def read(self, shop: Shop, completed: set[str]) -> None:
        """Runs of these syncs have completed now."""
        for sync in completed & GUARD_S.keys():
            events = {
                "order_placed": self._orders,
                "first_purchase_made": self._first_purchases,
                "cart_abandoned": self._carts,
                "subscription_canceled": self._cancellations,
                "refund_issued": self._refunds,
            }[sync]
            for about_what, at, customer in list(events(shop, self._read_to[sync])):
                event = (sync, about_what, at)
                if at >= shop.now - GUARD_S[sync]:
                    self.sent[event] = str(customer)
                elif sync == "order_placed":
                    self.left_out.add(event)
            self._read_to[sync] = shop.now

    def _orders(self, shop: Shop, since: int) -> Iterator[Happened]:
        return ((each.order_no, each.placed_at, each.customer_id) for each in shop.orders if each.recorded_at > since)

    def _first_purchases(self, shop: Shop, since: int) -> Iterator[Happened]:
        for order in sorted(shop.orders, key=lambda each: (each.recorded_at, each.order_no)):
            if order.recorded_at > since and order.customer_id not in self._bought:
                self._bought.add(order.customer_id)
                yield order.order_no, order.placed_at, order.customer_id

    def _carts(self, shop: Shop, since: int) -> Iterator[Happened]:  # noqa: ARG002 - each run looks at all
        for cart in shop.carts:
            four_hours_later = cart.started_at + 4 * HOUR_S
            if not cart.order_no and max(cart.touched_at + HOUR_S, four_hours_later) <= shop.now:
                yield cart.cart_id, four_hours_later, cart.customer_id

    def _cancellations(self, shop: Shop, since: int) -> Iterator[Happened]:
        for each in shop.subscriptions:
            if each.canceled_at is not None and each.canceled_at > since:
                yield each.subscription_id, each.canceled_at, each.customer_id

    def _refunds(self, shop: Shop, since: int) -> Iterator[Happened]:
        for each in shop.refunds:
            if each.recorded_at > since:
                yield each.order.order_no, each.refunded_at, each.order.customer_id


@dataclass(slots=True)
class Life:
    """The shop, and the runs of its syncs."""

    shop: Shop
    clock: SimulatedClock
    instance: dg.DagsterInstance
    daemon: Daemon
    syncs: Path
    sandbox: RunningSandbox
    _jobs: dict[str, dg.JobDefinition] = field(default_factory=dict)

    def wait(self, until: datetime) -> None:
        """Nobody looks; the shop goes on."""
        self.clock.now = until
        self.shop.live(int(until.timestamp()))

    def look(self) -> dict[str, Status]:
        """The scheduler looks; what is due is run, one after the other. How each sync's run ended."""
        ended = {}
        with at_that_time(self.clock):
            self.daemon.ticks(self.clock.now)
            while started := self.daemon.dequeue():
                for run_id in started:
                    report = self._execute(run_id)
                    assert report.sync not in ended
                    ended[report.sync] = report.status
        return ended

    def by_hand(self, sync: str, scope: Scope) -> Status:
        """A person runs a sync, and says yes."""
        project = load_project(self.syncs)
        with at_that_time(self.clock):
            asked = confirmed(project.syncs[sync], project, self.syncs, scope, yes=True)
            config = {"ops": {f"{sync}__{sync}_changeset": {"config": asked.as_options()}}}
            run = self.instance.create_run_for_job(self._job(sync), run_config=config)
            return self._execute(run.run_id).status

    def _job(self, sync: str) -> dg.JobDefinition:
        if sync not in self._jobs:
            self._jobs[sync] = job(str(self.syncs), sync)
        return self._jobs[sync]

    def _execute(self, run_id: str) -> RunReport:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        execute_run(InMemoryJob(self._job(run.job_name)), run, self.instance, raise_on_error=False)
        report = find_run(open_store(Home.from_environment().state_url), run_id)
        assert report is not None, run.job_name
        return report


@pytest.fixture
def life(tmp_path: Path, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    """A shop that has been open for five days when its syncs are first seen."""
    syncs = tmp_path / "syncs"
    shutil.copytree(Path(reverse_etl.demo.__file__).parent / "d2c_syncs", syncs)
    addresses = dict.fromkeys(("CUSTOMERIO_TRACK_URL", "CUSTOMERIO_APP_URL"), sandbox.url)
    places = {"REVERSE_ETL_HOME": str(tmp_path / "home"), "REVERSE_ETL_SYNCS": str(syncs)}
    for name, value in (CREDENTIALS | addresses | places | {"REVERSE_ETL_READ_BACK_WAIT_S": "0"}).items():
        monkeypatch.setenv(name, value)
    shop = open_shop(tmp_path / "shop.db", int(OPENS.timestamp()), seed=14)
    with ExitStack() as stack:
        clock = stack.enter_context(simulated_clock(BEGINS))
        instance = stack.enter_context(shipped_instance())
        daemon = stack.enter_context(Daemon.of(instance))
        with at_that_time(clock):
            daemon.ticks(BEGINS)
        yield Life(shop, clock, instance, daemon, syncs, sandbox)


def about(event: dict[str, Any]) -> Event:
    """What an event in the workspace is."""
    key = {"cart_abandoned": "cart_id", "subscription_canceled": "subscription_id"}.get(event["name"], "order_no")
    return event["name"], event["attributes"][key], event["timestamp"]


def test_the_workspace_is_the_shops_truth(life: Life) -> None:
    """After each look people, segments and events are exactly what they must be; no old event could trigger."""
    truth, seen, backfilled, refusals, weeks = Truth(), 0, False, 0, 0
    looks = iter(LOOKS_H * DAYS)
    now, end = BEGINS, BEGINS + timedelta(days=DAYS)
    while (now := now + timedelta(hours=next(looks))) <= end:
        life.wait(now)
        if OFF[0] <= now < OFF[1]:
            continue
        refused = REFUSED[0] <= now < REFUSED[1]
        if refused:
            life.sandbox.faults([{"match": {"path": "/api/v2/batch"}, "always": True, "do": {"status": 401}}])
        ended = life.look()
        life.sandbox.clear_faults()
        assert DUE <= ended.keys()
        completed = {sync for sync, status in ended.items() if status is Status.COMPLETED}
        truth.read(life.shop, completed)
        if refused:
            refusals += 1
            assert {"customers", "order_placed"} <= ended.keys() - completed
            continue
        assert ended.keys() == completed
        seen = check(life, truth, seen, guarded=True)
        if ended.keys() - DUE:
            segments = {each["name"]: {who["id"] for who in each["people"]} for each in life.sandbox.segments()}
            assert expected_segments(life.shop) == segments
            weeks += 1
        if now > OFF[1] and not backfilled:
            backfilled = True
            backfill(life, truth)
            seen = check(life, truth, seen, guarded=False)
    assert (1, 3, True) == (refusals, weeks, backfilled)


def backfill(life: Life, truth: Truth) -> None:
    """Old orders are sent, those that can trigger nothing: up to 72 hours ago, by when they were recorded."""
    until = life.clock.now - timedelta(seconds=CAN_TRIGGER_S)
    scope = Scope.of(since=OPENS.isoformat(), until=until.isoformat())
    assert Status.COMPLETED is life.by_hand("order_placed", scope)
    sent = {
        ("order_placed", order.order_no, order.placed_at): str(order.customer_id)
        for order in life.shop.orders
        if order.recorded_at < until.timestamp()
    }
    assert 10 < len(truth.left_out & sent.keys())
    truth.left_out -= sent.keys()
    truth.sent |= sent


def check(life: Life, truth: Truth, seen: int, *, guarded: bool) -> int:
    """Compares everything; gives how many events there are now, in the order in which they came."""
    people = {
        each["id"]: {**each["attributes"], "email": each["email"]} for each in life.sandbox.people() if each["id"]
    }
    for each in people.values():
        each.pop("id", None)
    assert expected_people(life.shop) == people
    events = life.sandbox.events()
    assert len(events) == len({about(each) for each in events})
    assert truth.sent == {about(each): each["person"]["id"] for each in events}
    now = life.clock.now.timestamp()
    for event in events[seen:]:
        age = now - event["timestamp"]
        assert age <= GUARD_S[event["name"]] if guarded else age > CAN_TRIGGER_S
    return len(events)
