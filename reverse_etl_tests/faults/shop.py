"""The source of a scenario: one SQLite table, read in five ways, and what each row must become in the workspace.

What must arrive is worked out here from the table alone, without any code of the product.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

KINDS: Final = ("people", "emails", "objects", "events", "related")
"""People by id, people by e-mail, objects, events, and people with relationships and a segment."""

SEGMENT: Final = "Shop customers"
FIRST_EVENT_AT: Final = 1_767_225_600
_PLANS: Final = ("free", "pro", "team", "", None, 'ünïcode "quoted" \\ plan')
_CHANGED_LONG_AGO: Final = 100

_QUERIES: Final = {
    "people": "SELECT id, email, plan, visits FROM shop",
    "related": "SELECT id, email, plan, visits FROM shop",
    "rows": "SELECT id, email, plan, visits FROM shop",
    "emails": "SELECT email, plan, visits FROM shop",
    "objects": "SELECT id AS object_id, plan, visits FROM shop",
    "events": f"SELECT id, {FIRST_EVENT_AT} + 60 * rowid AS occurred_at, rowid AS event_id, plan, visits FROM shop",
}
_ALL: Final = " ORDER BY rowid"
_WHERE: Final = " WHERE updated_at >= {{last_sync_time}} ORDER BY rowid"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table; ``number`` is its rowid, which no row ever shares."""

    number: int
    id: str
    email: str
    plan: str | None
    visits: int
    updated_at: int

    def attributes(self) -> dict[str, Any]:
        """What must arrive: empty values are left out."""
        return {"visits": self.visits} | ({"plan": self.plan} if self.plan else {})

    def identifier(self, kind: str) -> str:
        """What failed rows call it."""
        return self.email if kind == "emails" else self.id

    def membership(self) -> tuple[str, str]:
        """The person and the object that the second query relates."""
        return self.id, f"o{self.number % 3}"


@dataclass(frozen=True, slots=True)
class Shop:
    """The table, in a file of its own."""

    path: Path

    def fill(self, rows: int, chance: random.Random, *, wide: int = 0) -> None:
        """Makes the table again. ``wide`` is how many characters each plan gets in addition."""
        more = "".join(chance.choices("abcdef", k=wide))
        values = [
            (f"p{n}", f"p{n}@example.com", (chance.choice(_PLANS) or "") + more, chance.randrange(2**40))
            for n in range(1, rows + 1)
        ]
        with self.changing() as database:
            database.execute("DROP TABLE IF EXISTS shop")
            database.execute(f"CREATE TABLE shop (id, email, plan, visits, updated_at DEFAULT {_CHANGED_LONG_AGO})")
            database.executemany("INSERT INTO shop (id, email, plan, visits) VALUES (?, ?, ?, ?)", values)

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """The file, open for writing; committed at the end."""
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("PRAGMA synchronous = OFF")
            yield database

    def rows(self, since: int = 0) -> list[Row]:
        """What the queries return."""
        wanted = "SELECT rowid, id, email, plan, visits, updated_at FROM shop WHERE updated_at >= ? ORDER BY rowid"
        with closing(sqlite3.connect(self.path)) as database:
            return [Row(*row) for row in database.execute(wanted, [since])]


def settings(kind: str) -> dict[str, Any]:
    """The keys of a sync's file that differ by kind."""
    query = {"query": _QUERIES[kind] + _WHERE}
    if kind == "objects":
        return {"objects": {}, **query}
    if kind == "events":
        return {"events": {"name": "visited", "identify_by": "id"}, **query}
    if kind == "emails":
        return {"people": {"identify_by": "email"}, **query}
    if kind == "rows":
        return {"rows": {"identify_by": "id"}, **query}
    if kind == "people":
        return {"people": {"identify_by": "id"}, **query}
    related = "SELECT id, 'o' || (rowid % 3) AS object_id, visits FROM shop" + _WHERE
    return {
        "people": {"identify_by": "id", "segment": {"name": SEGMENT}},
        "relationships": {"identify_by": "id", "query": related},
        **query,
    }


def compared(kind: str) -> dict[str, Any]:
    """The same for a sync that reads all rows and sends what differs."""
    found = settings(kind) | {"changes": {"by": "compare"}}
    found["query"] = found["query"].replace(_WHERE, _ALL)
    if "relationships" in found:
        found["relationships"]["query"] = found["relationships"]["query"].replace(_WHERE, _ALL)
    return found
