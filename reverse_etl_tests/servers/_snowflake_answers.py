"""What the Snowflake counterpart answers in Snowflake's words: refusals, error numbers, grants."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import sqlglot
from sqlglot import exp

from reverse_etl_tests.servers._snowflake_login import Accounts

HIDDEN: Final = "HIDDEN"
"""A table that only its owner sees."""

_ERRORS: Final[tuple[tuple[str, str, str, str], ...]] = (
    (
        r"Table with name (\S+) does not exist",
        "002003",
        "42S02",
        "SQL compilation error:\nObject '{}' does not exist or not authorized.",
    ),
    (
        r"Function with name (\S+) does not exist",
        "002140",
        "42601",
        "SQL compilation error:\nUnknown function {}",
    ),
    (
        r'Referenced (?:column|table) "([^"]+)" not found',
        "000904",
        "42000",
        "SQL compilation error: error line 1 at position 7\ninvalid identifier '{}'",
    ),
    (
        r"Cannot compare values of type (TIMESTAMP|DATE)",
        "001044",
        "42P13",
        "SQL compilation error: error line 1 at position 7\nInvalid argument types for function '>=': ({}_LTZ(9), "
        "NUMBER(10,0))",
    ),
    (r"Could not convert string '([^']*)'", "100038", "22018", "Numeric value '{}' is not recognized"),
)
"""What fakesnow says, and Snowflake's code, SQLSTATE and text for it."""


@dataclass(slots=True)
class Session:
    """One login: names in upper case, time limit in seconds."""

    role: str
    warehouse: str
    limit_s: float


def refused(accounts: Accounts, session: Session, sql: str) -> tuple[str, str, str] | None:
    """Code, text and SQLSTATE of what the role may not, or what cannot be run."""
    with suppress(sqlglot.errors.SqlglotError):
        statements = [statement for statement in sqlglot.parse(sql, dialect="snowflake") if statement is not None]
        if len(statements) > 1:
            text = f"Actual statement count {len(statements)} did not match the desired statement count 1."
            return "000008", text, "0A000"
        tables = [table.name.upper() for statement in statements for table in statement.find_all(exp.Table)]
        if session.role == "OWNER":
            return None
        unseen = HIDDEN if HIDDEN in tables else tables[0] if tables and not accounts.may_read(session.role) else ""
        if unseen:
            return "002003", f"SQL compilation error:\nObject '{unseen}' does not exist or not authorized.", "02000"
        if tables and not isinstance(statements[0], exp.Query):
            text = f"SQL access control error:\nInsufficient privileges to operate on table '{tables[0]}'"
            return "003001", text, "42501"
        if tables and not session.warehouse:
            text = (
                "No active warehouse selected in the current session.  "
                "Select an active warehouse with the 'use warehouse' command.\n"
            )
            return "000606", text, "57P03"
    return None


def as_snowflake(answer: dict[str, Any]) -> dict[str, Any]:
    for pattern, code, state, text in _ERRORS:
        if found := re.search(pattern, answer["message"]):
            return failure(code, text.format(found[1]), state)
    if answer["code"] == "001003":
        return failure(
            "001003", "SQL compilation error:\nsyntax error line 1 at position 7 unexpected '<EOF>'.", "42000"
        )
    return answer


def granted(accounts: Accounts, current: str, role: str) -> dict[str, Any]:
    if role not in accounts.grants or current == "SYNC_UNSEEN":
        return failure("002003", f"SQL compilation error:\nRole '{role}' does not exist or not authorized.", "02000")
    names = ("created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option")
    rows = [["2026-01-01", *grant, "ROLE", role, "false"] for grant in accounts.grants[role]]
    kinds = [{"name": name, "type": "text", "nullable": True, "length": 256, "byteLength": 1024} for name in names]
    kinds = [kind | {"precision": None, "scale": None} for kind in kinds]
    data = {"queryResultFormat": "json", "rowset": rows, "rowtype": kinds, "total": len(rows), "queryId": "grants"}
    return {"success": True, "code": None, "message": None, "data": data}


def failure(code: str, text: str, state: str = "08001") -> dict[str, Any]:
    return {"success": False, "code": code, "message": text, "data": {"errorCode": code, "sqlState": state}}
