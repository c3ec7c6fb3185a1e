"""The sample shop: a SQLite database that is the same on every machine, with a few rows bad on purpose.

    customers     id, email, first_name, last_name, plan, country, marketing_opt_in, lifetime_value, orders_count,
                  birthday, created_at, updated_at
    companies     id, name, domain, industry, seats, created_at, updated_at
    memberships   person_id, company_id, role, ended, updated_at
    orders        order_no, customer_id, total, sku, placed_at

SQLite has no dates and no booleans: times are Unix seconds, a birthday is text, yes and no are 1 and 0. What must
arrive in the workspace from all this is in ``expected``.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

ENGINE: Final = "sqlite"
"""The type of its connection."""

COMPANIES: Final = 300
PLANS: Final = ("free", "pro", "team")

_FIRST_NAMES: Final = (
    "Ada",
    "Bo",
    "Chloé",
    "Dmitri",
    "Esra",
    "Femi",
    "Grace",
    "Hiro",
    "Inés",
    "Jürgen",
    "Kofi",
    "Łucja",
)
_LAST_NAMES: Final = ("Abara", "Berg", "Costa", "Díaz", "Eriksen", "Fuchs", "Garcia", "Hansen", "Ito", "Jansen", "Kaya")
_COUNTRIES: Final = ("US", "DE", "GB", "FR", "JP", "BR", "PL", "NG")
_INDUSTRIES: Final = ("Bakery", "Bicycles", "Books", "Ceramics", "Coffee", "Flowers", "Games", "Music", "Tea", "Tools")
_ROLES: Final = ("owner", "admin", "member", "billing")
_SKUS: Final = ("MUG-01", "TEE-S", "TEE-M", "TEE-L", "BAG-02", "PIN-07", "CAP-03")

_OPENED: Final = int(datetime(2023, 1, 9, 8, tzinfo=UTC).timestamp())
_FILLED: Final = int(datetime(2025, 6, 30, 18, tzinfo=UTC).timestamp())
"""Everything in a new shop happened between these two times, Unix seconds."""

# No keys: a shop's tables in a warehouse rarely have any, and some rows here would break them.
_TABLES: Final = """
    CREATE TABLE customers (
        id INTEGER, email TEXT, first_name TEXT, last_name TEXT, plan TEXT, country TEXT, marketing_opt_in INTEGER,
        lifetime_value REAL, orders_count INTEGER, birthday TEXT, created_at INTEGER, updated_at INTEGER
    );
    CREATE TABLE companies (
        id TEXT, name TEXT, domain TEXT, industry TEXT, seats INTEGER, created_at INTEGER, updated_at INTEGER
    );
    CREATE TABLE memberships (person_id INTEGER, company_id TEXT, role TEXT, ended INTEGER, updated_at INTEGER);
    CREATE TABLE orders (order_no TEXT, customer_id INTEGER, total REAL, sku TEXT, placed_at INTEGER);
"""

_MENDED: Final = """
    UPDATE customers SET email = 'customer900001@example.com' WHERE id = 900001;
    UPDATE customers SET id = 900002 WHERE id IS NULL;
    UPDATE customers SET last_name = 'Long' WHERE id = 900003;
    UPDATE customers SET id = 900005, email = 'pollux@example.com' WHERE id = 900004 AND first_name = 'Pollux';
    UPDATE customers SET plan = 'team' WHERE id = 900006;
    UPDATE memberships SET ended = 0 WHERE ended NOT IN (0, 1);
"""

Row = tuple[Any, ...]


def create_shop(path: Path, *, people: int = 5000, seed: int = 1) -> None:
    """Writes the sample shop, the same for the same ``people`` and ``seed``; a file that is there is replaced.

    Args:
        path: The database file; its folder is made, readable by its owner alone.
        people: Customers without a fault, at least 8; six faulty rows come on top.
        seed: Of the random values.
    """
    dice = random.Random(seed)  # noqa: S311 - sample data, not a secret
    customers = [_customer(dice, number) for number in range(1, people + 1)]
    companies = [_company(dice, number) for number in range(1, COMPANIES + 1)]
    memberships = list(_memberships(dice, customers, companies))
    orders = list(_orders(dice, customers))
    _spoil(customers, memberships, companies[-1][0])

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(partial)) as database, database:
        database.executescript(_TABLES)
        for table, rows in (
            ("customers", customers),
            ("companies", companies),
            ("memberships", memberships),
            ("orders", orders),
        ):
            database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    partial.replace(path)


def touch(path: Path, customers: int, *, at: datetime | None = None) -> list[int]:
    """Lets some customers buy once more, so that the next run has something to read.

    Args:
        path: A shop that ``create_shop`` made.
        customers: How many.
        at: When; now if None.

    Returns:
        Their ids.
    """
    now = int((at or datetime.now(UTC)).timestamp())
    with closing(sqlite3.connect(path)) as database, database:
        changed = database.execute(
            "UPDATE customers SET orders_count = orders_count + 1, lifetime_value = lifetime_value + 25, updated_at = ?"
            " WHERE id IN (SELECT id FROM customers WHERE id IS NOT NULL GROUP BY id HAVING count(*) = 1 LIMIT ?)"
            " RETURNING id",
            (now, customers),
        ).fetchall()
    return sorted(number for (number,) in changed)


def mend(path: Path) -> None:
    """Corrects the rows that are bad on purpose, as the owner of the data would, so that a run can complete."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_MENDED)


def _customer(dice: random.Random, number: int) -> Row:
    first, last = dice.choice(_FIRST_NAMES), dice.choice(_LAST_NAMES)
    orders = dice.randrange(5)
    created_at = dice.randrange(_OPENED, _FILLED)
    born = date(1960, 1, 1) + timedelta(days=dice.randrange(16_000))
    return (
        number,
        None if dice.random() < 0.02 else f"customer{number}@example.com",
        first,
        last,
        dice.choices(PLANS, (6, 3, 1))[0],
        dice.choice(_COUNTRIES),
        dice.randrange(2),
        dice.randrange(500, 20_000) * orders / 100,
        orders,
        None if dice.random() < 0.3 else born.isoformat(),
        created_at,
        dice.randrange(created_at, _FILLED),
    )


def _company(dice: random.Random, number: int) -> Row:
    industry = dice.choice(_INDUSTRIES)
    created_at = dice.randrange(_OPENED, _FILLED)
    return (
        f"C{number:04}",
        f"{dice.choice(_LAST_NAMES)} {industry} {number}",
        f"company{number}.example",
        industry,
        dice.choice((None, 5, 20, 100, 500)),
        created_at,
        dice.randrange(created_at, _FILLED),
    )


def _memberships(dice: random.Random, customers: list[Row], companies: list[Row]) -> Iterator[Row]:
    """Two customers in five belong to a company; one membership in ten has ended."""
    for customer in customers:
        if dice.random() < 0.4:
            company = dice.choice(companies)
            yield (
                customer[0],
                company[0],
                dice.choice(_ROLES),
                int(dice.random() < 0.1),
                dice.randrange(_OPENED, _FILLED),
            )


def _orders(dice: random.Random, customers: list[Row]) -> Iterator[Row]:
    number = 1000
    for customer in customers:
        for _ in range(customer[8]):
            number += 1
            yield (
                f"A-{number}",
                customer[0],
                dice.randrange(500, 20_000) / 100,
                dice.choice(_SKUS),
                dice.randrange(_OPENED, _FILLED),
            )


def _spoil(customers: list[Row], memberships: list[Row], company: str) -> None:
    """Adds a row of each known fault, spread over two tables; ids of faulty customers are 900001 and up."""
    healthy = customers[0]
    end = _FILLED

    def faulty(number: int | None, email: str | None, **changes: Any) -> Row:
        names = ("first_name", "last_name", "plan")
        row = [number, email, *healthy[2:10], end, end]
        for name, value in changes.items():
            row[2 + names.index(name)] = value
        return tuple(row)

    faults = [
        faulty(900_001, "not-an-address"),
        faulty(None, "nobody.bad@example.com"),
        faulty(900_003, "long.bad@example.com", last_name="x" * 1001),
        faulty(900_004, "twin.bad@example.com", first_name="Castor"),
        faulty(900_004, "twin.bad@example.com", first_name="Pollux"),
        faulty(900_006, "plan.bad@example.com", plan="platinum"),
    ]
    for turn, row in enumerate(faults, start=1):
        customers.insert(turn * len(customers) // (len(faults) + 1), row)
    memberships.insert(len(memberships) // 2, (healthy[0], company, "member", 2, end))
