"""The sample of a shop that sells to consumers: its tables in SQLite, and its life, hour by hour, the same everywhere.

    customers      id, email, first_name, created_at, updated_at
    orders         order_no, customer_id, total_cents, items, placed_at, recorded_at; a row may be there twice, or late
    carts          cart_id, customer_id, value_cents, items, started_at, touched_at, order_no
    subscriptions  subscription_id, customer_id, plan, canceled_at, reason, updated_at
    refunds        refund_id, order_no, customer_id, amount_cents, refunded_at, reason, recorded_at
    loads          finished_at: up to when the other tables are complete

Times are Unix seconds, but for ``canceled_at`` and ``refunded_at``: the back office writes text, the wall clock's time
in Berlin. What happened is kept beside the tables in plain Python, so that what must arrive can be found without them.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

TIMEZONE: Final = "Europe/Berlin"
HOUR_S: Final = 3_600
DAY_S: Final = 86_400
CUSTOMERS: Final = 60

_NAMES: Final = ("Ada", "Ben", "Chi", "Dora", "Emre", "Finn", "Gül", "Hana")
_PLANS: Final = ("coffee", "tea")
_REASONS: Final = ("too_expensive", "moved", "other")
_TABLES: Final = """
    CREATE TABLE customers (id INTEGER, email TEXT, first_name TEXT, created_at INTEGER, updated_at INTEGER);
    CREATE TABLE orders (order_no TEXT, customer_id INTEGER, total_cents INTEGER, items INTEGER, placed_at INTEGER,
        recorded_at INTEGER);
    CREATE TABLE carts (cart_id TEXT PRIMARY KEY, customer_id INTEGER, value_cents INTEGER, items INTEGER,
        started_at INTEGER, touched_at INTEGER, order_no TEXT);
    CREATE TABLE subscriptions (subscription_id TEXT PRIMARY KEY, customer_id INTEGER, plan TEXT, canceled_at TEXT,
        reason TEXT, updated_at INTEGER);
    CREATE TABLE refunds (refund_id TEXT, order_no TEXT, customer_id INTEGER, amount_cents INTEGER, refunded_at TEXT,
        reason TEXT, recorded_at INTEGER);
    CREATE TABLE loads (finished_at INTEGER);
"""


@dataclass(slots=True)
class Customer:
    """Someone with an account."""

    id: int
    email: str
    first_name: str
    created_at: int


@dataclass(slots=True)
class Order:
    """An order. ``recorded_at`` is when it came into the table first."""

    order_no: str
    customer_id: int
    total_cents: int
    items: int
    placed_at: int
    recorded_at: int


@dataclass(slots=True)
class Cart:
    """A cart; ``order_no`` is empty as long as nothing in it was ordered."""

    cart_id: str
    customer_id: int
    value_cents: int
    items: int
    started_at: int
    touched_at: int
    order_no: str = ""


@dataclass(slots=True)
class Subscription:
    """A subscription. ``canceled_at`` is None as long as it runs, else Unix seconds."""

    subscription_id: str
    customer_id: int
    plan: str
    updated_at: int
    canceled_at: int | None = None
    reason: str = ""


@dataclass(slots=True)
class Refund:
    """Money that went back."""

    refund_id: str
    order: Order
    amount_cents: int
    refunded_at: int
    reason: str
    recorded_at: int


@dataclass(slots=True)
class Shop:
    """The shop at a time.

    Attributes:
        path: The database.
        now: Up to when it has lived, Unix seconds.
        chance: Decides what happens.
        mishaps: Whether rows are loaded twice, or days late.
    """

    path: Path
    now: int
    chance: random.Random
    mishaps: bool = True
    customers: list[Customer] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    carts: list[Cart] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    waiting: list[Order] = field(default_factory=list)
    """Orders that are placed, and not in the table yet: ``recorded_at`` is when they will be."""

    def live(self, until: int) -> None:
        """Lets the time pass, with a load of what happened after each day and at the end."""
        while self.now + DAY_S < until:
            self._load(self.now + DAY_S)
        self._load(until)

    def _load(self, until: int) -> None:
        with self._writing() as database:
            while self.now + HOUR_S <= until:
                self._hour(database, self.now)
                self.now += HOUR_S
            self.now = until
            for order in [each for each in self.waiting if each.recorded_at <= until]:
                self.waiting.remove(order)
                order.recorded_at = until
                self.orders.append(order)
                _insert(database, "orders", *_order_row(order, until))
            if self.mishaps and self.orders:
                # The load was repeated: rows of this load, equal, and rows of an earlier one.
                for order in self.chance.sample(self.orders, min(3, len(self.orders))):
                    _insert(database, "orders", *_order_row(order, until))
            _insert(database, "loads", until)

    def order(self, customer: Customer, at: int, *, recorded_at: int | None = None) -> Order:
        """Someone orders; the row comes with the next load, or with the first after ``recorded_at``."""
        number = f"A-{1001 + len(self.orders) + len(self.waiting)}"
        cents, items = self.chance.randrange(900, 20_000), self.chance.randint(1, 5)
        placed = Order(number, customer.id, cents, items, at, at if recorded_at is None else recorded_at)
        self.waiting.append(placed)
        return placed

    def _hour(self, database: sqlite3.Connection, begin: int) -> None:
        chance = self.chance
        at = begin + chance.randrange(HOUR_S)
        if len(self.customers) < CUSTOMERS and chance.random() < 0.08:
            number = len(self.customers) + 1
            new = Customer(number, f"buyer{number}@example.com", chance.choice(_NAMES), at)
            self.customers.append(new)
            _insert(database, "customers", new.id, new.email, new.first_name, at, begin + HOUR_S)
        if not self.customers:
            return
        customer = chance.choice(self.customers)
        if chance.random() < 0.3:
            late = chance.randint(1, 240) * HOUR_S if self.mishaps and chance.random() < 0.15 else 0
            self.order(customer, at, recorded_at=at + late)
        self._carts(database, customer, at)
        self._subscriptions(database, customer, at)
        if self.orders and chance.random() < 0.05:
            self._refund(database, chance.choice(self.orders), at)

    def _carts(self, database: sqlite3.Connection, customer: Customer, at: int) -> None:
        if self.chance.random() < 0.3:
            cart = Cart(f"c{len(self.carts) + 1}", customer.id, self.chance.randrange(500, 9_000), 1, at, at)
            self.carts.append(cart)
            _insert(database, "carts", *_cart_row(cart))
        for cart in [each for each in self.carts[-12:] if not each.order_no and self.chance.random() < 0.08]:
            # Someone comes back: for one thing more, or to order.
            cart.touched_at, cart.items = max(at, cart.touched_at), cart.items + 1
            if self.chance.random() < 0.4:
                owner = next(each for each in self.customers if each.id == cart.customer_id)
                cart.order_no = self.order(owner, cart.touched_at).order_no
            row = _cart_row(cart)
            database.execute("DELETE FROM carts WHERE cart_id = ?", row[:1])
            _insert(database, "carts", *row)

    def _subscriptions(self, database: sqlite3.Connection, customer: Customer, at: int) -> None:
        running = [each for each in self.subscriptions if each.canceled_at is None]
        if self.chance.random() < 0.1:
            name = f"s{len(self.subscriptions) + 1}"
            new = Subscription(name, customer.id, self.chance.choice(_PLANS), at)
            self.subscriptions.append(new)
            _insert(database, "subscriptions", name, new.customer_id, new.plan, None, None, at)
        elif running and self.chance.random() < 0.06:
            ended = self.chance.choice(running)
            ended.canceled_at, ended.updated_at, ended.reason = at, at, self.chance.choice(_REASONS)
            database.execute(
                "UPDATE subscriptions SET canceled_at = ?, reason = ?, updated_at = ? WHERE subscription_id = ?",
                (wall_clock(at), ended.reason, at, ended.subscription_id),
            )

    def _refund(self, database: sqlite3.Connection, order: Order, at: int) -> None:
        left = order.total_cents - sum(each.amount_cents for each in self.refunds if each.order is order)
        if left > 0:
            amount = left if self.chance.random() < 0.5 else max(1, left // 3)
            refund = Refund(f"r{len(self.refunds) + 1}", order, amount, at, self.chance.choice(_REASONS), at)
            self.refunds.append(refund)
            row = (refund.refund_id, order.order_no, order.customer_id, amount, wall_clock(at), refund.reason, at)
            _insert(database, "refunds", *row)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path)) as database, database:
            yield database


def open_shop(path: Path, at: int, *, seed: int = 1, mishaps: bool = True) -> Shop:
    """A shop that opens, without customers; a file that is there is replaced.

    Args:
        path: The database file; its folder is made.
        at: When, Unix seconds.
        seed: Of what will happen.
        mishaps: Whether rows are loaded twice, or days late.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_TABLES)
    return Shop(path, at, random.Random(seed), mishaps)  # noqa: S311 - sample data, not a secret


def expected_people(shop: Shop) -> dict[str, dict[str, Any]]:
    """What each customer must be in the workspace now, ``email`` among the attributes; what is empty is left out."""
    found: dict[str, dict[str, Any]] = {}
    for customer in shop.customers:
        orders = [each for each in shop.orders if each.customer_id == customer.id]
        refunded = sum(each.amount_cents for each in shop.refunds if each.order.customer_id == customer.id)
        running = [
            each.plan for each in shop.subscriptions if each.customer_id == customer.id and each.canceled_at is None
        ]
        times = [each.placed_at for each in orders]
        found[str(customer.id)] = {
            "email": customer.email,
            "first_name": customer.first_name,
            "created_at": customer.created_at,
            "total_orders": len(orders),
            "lifetime_value": (sum(each.total_cents for each in orders) - refunded) / 100,
            "refunded_total": refunded / 100,
            "active_subscriptions": len(running),
            **({"first_order_at": min(times), "last_order_at": max(times)} if times else {}),
        }
    return found


def expected_segments(shop: Shop) -> dict[str, set[str]]:
    """Who must be in the segments for quality assurance now, by name."""
    people = expected_people(shop)
    return {
        "QA repeat buyers": {number for number, each in people.items() if each["total_orders"] > 1},
        "QA subscribers": {number for number, each in people.items() if each["active_subscriptions"]},
    }


def wall_clock(at: int) -> str:
    """What the back office writes for a time."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(TIMEZONE)):%Y-%m-%d %H:%M:%S}"


def _order_row(order: Order, recorded_at: int) -> tuple[Any, ...]:
    return order.order_no, order.customer_id, order.total_cents, order.items, order.placed_at, recorded_at


def _cart_row(cart: Cart) -> tuple[Any, ...]:
    times = (cart.started_at, cart.touched_at, cart.order_no or None)
    return cart.cart_id, cart.customer_id, cart.value_cents, cart.items, *times


def _insert(database: sqlite3.Connection, table: str, *row: Any) -> None:
    database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
