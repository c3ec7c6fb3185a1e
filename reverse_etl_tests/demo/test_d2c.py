"""The consumer shop: the same life every time, recipes that send each thing once, a demo that is what it must be."""

from __future__ import annotations

import io
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest

import reverse_etl.demo
from reverse_etl.cli import words
from reverse_etl.cli.demo_d2c import SECRETS, play
from reverse_etl.config.loader import load_project
from reverse_etl.demo.d2c import DAY_S, HOUR_S, expected_people, open_shop, wall_clock
from reverse_etl_tests.project import Project
from reverse_etl_tests.servers.sandbox import RunningSandbox

SHIPPED = Path(reverse_etl.demo.__file__).parent / "d2c_syncs"
SUNDAY = 1_774_746_000
"""2026-03-29 01:00 UTC, when Berlin goes from 2:00 to 3:00."""


def test_its_life_is_the_same_every_time(tmp_path: Path) -> None:
    """By the seed; each kind of mishap happens in a week or two."""
    one, same, other = (open_shop(tmp_path / f"{n}.db", 0, seed=seed) for n, seed in enumerate((1, 1, 2)))
    for shop in (one, same, other):
        shop.live(14 * DAY_S)
    assert (one.orders, one.carts, one.refunds) == (same.orders, same.carts, same.refunds)
    assert one.orders != other.orders
    assert any(each.recorded_at - each.placed_at > 3 * DAY_S for each in one.orders)
    assert any(each.canceled_at for each in one.subscriptions)
    assert {1, 2} <= {each["total_orders"] for each in expected_people(one).values()}


def test_the_back_office_writes_berlins_time() -> None:
    """Also around the night in which an hour is missing."""
    assert ["2026-03-29 01:59:59", "2026-03-29 03:00:00"] == [wall_clock(SUNDAY - 1), wall_clock(SUNDAY)]


def test_its_syncs_are_valid_without_a_warning() -> None:
    """All of them."""
    project = load_project(SHIPPED)
    assert (8, ()) == (len(project.syncs), project.warnings)


@pytest.mark.thorough
def test_recipes_send_each_thing_once(tmp_path: Path, sandbox: RunningSandbox) -> None:
    """One event for a cart that is touched again, for a first purchase and for a refund, in three runs each."""
    now = int(time.time())
    shop = open_shop(tmp_path / "shop.db", now - 2 * DAY_S, seed=3)
    project = Project(tmp_path, dict.fromkeys(("CUSTOMERIO_TRACK_URL", "CUSTOMERIO_APP_URL"), sandbox.url))
    shutil.copytree(SHIPPED, tmp_path / "syncs")
    for hours_ago in (16, 8, 0):
        shop.live(now - hours_ago * HOUR_S)
        for sync in ("cart_abandoned", "first_purchase_made", "refund_issued"):
            assert 0 == project.run(sync)[0]
    events = sandbox.events()
    carts = Counter(each["attributes"]["cart_id"] for each in events if each["name"] == "cart_abandoned")
    left = [each for each in shop.carts if not each.order_no and each.started_at + 5 * HOUR_S < now - HOUR_S]
    quiet = {each.cart_id for each in left if each.touched_at + HOUR_S <= now}
    assert {1} == set(carts.values())
    assert quiet <= carts.keys()
    first = Counter(each["person"]["id"] for each in events if each["name"] == "first_purchase_made")
    recorded = {str(each.customer_id) for each in shop.orders}
    assert dict.fromkeys(recorded, 1) == first
    refunds = [(each["timestamp"], each["attributes"]["amount"]) for each in events if each["name"] == "refund_issued"]
    assert sorted((each.refunded_at, each.amount_cents / 100) for each in shop.refunds) == sorted(refunds)


@pytest.mark.thorough
def test_the_workspace_is_the_shop_in_every_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a backfill that says what it sends."""
    monkeypatch.chdir(tmp_path)
    for name in (*SECRETS, "CUSTOMERIO_TRACK_URL", "CUSTOMERIO_APP_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("REVERSE_ETL_HOME", str(tmp_path / "home"))
    written = io.StringIO()
    console = words.console()
    console.file, console.width = written, 80
    assert play(Path("d2c"), console, keep=False), written.getvalue()
    text = " ".join(written.getvalue().split())
    assert (8, 0) == (text.count("equal to the shop"), text.count("not equal"))
    assert "events were left out, older than" in text
