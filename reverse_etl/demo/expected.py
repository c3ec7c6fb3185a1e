"""What must arrive from the sample shop, and which rows must fail: computed a second time, row by row, in plain Python.

This is what the demo and the tests compare a workspace with, so nothing of the checks or the delivery is used here.
It is what ``syncs/customers.yaml`` and ``syncs/companies.yaml`` ask for, and changes with them.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reverse_etl.demo.shop import PLANS

_ADDRESS: Final = re.compile(r"[A-Za-z0-9.]+@[a-z]+(\.[a-z]+)+")
_LONGEST_BYTES: Final = 1000

_CUSTOMERS: Final = """
    SELECT id, email, first_name, last_name, plan, country, marketing_opt_in, lifetime_value, orders_count, birthday,
           created_at
    FROM customers WHERE updated_at >= ? ORDER BY rowid
"""
_COMPANIES: Final = (
    "SELECT id, name, domain, industry, seats, created_at FROM companies WHERE updated_at >= ? ORDER BY rowid"
)
_MEMBERSHIPS: Final = "SELECT person_id, company_id, role, ended FROM memberships WHERE updated_at >= ? ORDER BY rowid"


@dataclass(frozen=True, slots=True)
class ExpectedFailure:
    """A row that must fail: in which sync and query, its number from 1, the rule it breaks, and the column at fault."""

    sync: str
    query: str
    row_number: int
    reason: str
    field: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What a workspace must hold after both syncs.

    Attributes:
        people: Attributes by id, ``email`` among them; empty values are left out.
        companies: Attributes by object id, likewise.
        relationships: Role by (person's id, object id), of memberships that have not ended.
        failures: In the order of sync, query and row number.
        extracted: Rows by (sync, query).
    """

    people: dict[str, dict[str, Any]]
    companies: dict[str, dict[str, Any]]
    relationships: dict[tuple[str, str], str]
    failures: tuple[ExpectedFailure, ...]
    extracted: dict[tuple[str, str], int]


def expected(path: Path, *, since: int = 0) -> Expected:
    """What must arrive from a shop, and what must fail, when the syncs read what changed since ``since``.

    Args:
        path: A shop that ``create_shop`` made.
        since: The last sync time, Unix seconds; 0 for everything.
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        customers = [dict(row) for row in database.execute(_CUSTOMERS, (since,))]
        companies = [dict(row) for row in database.execute(_COMPANIES, (since,))]
        memberships = [dict(row) for row in database.execute(_MEMBERSHIPS, (since,))]

    failures: list[ExpectedFailure] = []
    companies_arriving = {row["id"]: _attributes(row) for row in companies}

    ids = Counter(row["id"] for row in customers)
    people: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(customers, start=1):
        if fault := _fault(row, shared=ids[row["id"]] > 1):
            failures.append(ExpectedFailure("customers", "rows", number, *fault))
        else:
            people[str(row["id"])] = _attributes(row)

    relationships: dict[tuple[str, str], str] = {}
    for number, row in enumerate(memberships, start=1):
        if row["ended"] not in (0, 1):
            failures.append(ExpectedFailure("customers", "relationships", number, "deleted_is_boolean", "deleted"))
        elif not row["ended"]:
            relationships[str(row["person_id"]), row["company_id"]] = row["role"]

    extracted = {
        ("companies", "rows"): len(companies),
        ("customers", "rows"): len(customers),
        ("customers", "relationships"): len(memberships),
    }
    return Expected(people, companies_arriving, relationships, tuple(failures), extracted)


def _fault(row: dict[str, Any], *, shared: bool) -> tuple[str, str] | None:
    """Rule and column of a customer's fault; the sample shop has at most one in a row."""
    if row["id"] is None:
        return "identifier_present", "id"
    if row["email"] is not None and not _ADDRESS.fullmatch(row["email"]):
        return "email_valid", "email"
    for column, value in row.items():
        if isinstance(value, str) and len(value.encode()) > _LONGEST_BYTES:
            return "attribute_value_length", column
    if row["plan"] not in PLANS:
        return "accepted_values_plan", "plan"
    return ("identifier_unique", "id") if shared else None


def _attributes(row: dict[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in row.items() if column != "id" and value not in (None, "")}
