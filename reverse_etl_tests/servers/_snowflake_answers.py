"""What the Snowflake counterpart answers in Snowflake's words: refusals, error numbers, grants."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import sqlglot
from sqlglot import exp

from reverse_etl_tests.servers._snowflake_login import Accounts

HIDDEN: Final = "HIDDEN"
"""A table that only its owner sees."""

WRITTEN: Final = "CRM"
"""The database that destinations write to; in the others roles only read."""
_PRIVILEGES: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
_WRITES: Final = {exp.Insert: "INSERT", exp.Update: "UPDATE", exp.Delete: "DELETE"}

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
        r'does not have a column (?:with name|named) "([^"]+)"',
        "000904",
        "42000",
        "SQL compilation error: error line 1 at position 7\ninvalid identifier '{}'",
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
    """One login: names in upper case, time limit in seconds; ``temporary``: what it has made for itself."""

    role: str
    warehouse: str
    limit_s: float
    user: str = ""
    database: str = ""
    schema: str = ""
    temporary: set[str] = field(default_factory=set)


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
        if session.database == WRITTEN:
            return next((no for each in statements if (no := _unwritable(accounts, session, each))), None)
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


def _unwritable(accounts: Accounts, session: Session, statement: exp.Expression) -> tuple[str, str, str] | None:
    """Why a role may not do what it wants to do in the database that destinations write to."""
    if isinstance(statement, exp.Create):
        kind = str(statement.args["kind"]).upper()
        name = statement.find(exp.Table)
        schema = f"{session.database}.{session.schema}"
        if not accounts.may(session.role, f"CREATE {kind}", schema):
            text = f"SQL access control error:\nInsufficient privileges to operate on schema '{session.schema}'"
            return "003001", text, "42501"
        session.temporary.add(name.name.upper() if name is not None else "")
        return None
    if isinstance(statement, exp.Show) and statement.args.get("scope_kind") != "TABLE":
        return None
    target = statement.this.find(exp.Table) if isinstance(statement, exp.DML | exp.Merge) else None
    for table in statement.find_all(exp.Table):
        if table.name.upper() in session.temporary or not isinstance(table.this, exp.Identifier):
            continue
        schema = f"{table.catalog or session.database}.{table.db or session.schema}"
        known = [each for each in _PRIVILEGES if accounts.may(session.role, each, schema, table.name)]
        if not known:
            text = f"SQL compilation error:\nObject '{table.name}' does not exist or not authorized."
            return "002003", text, "02000"
        if not _needed(statement, is_target=table is target) <= {*known}:
            text = f"SQL access control error:\nInsufficient privileges to operate on table '{table.name}'"
            return "003001", text, "42501"
    return None


def _needed(statement: exp.Expression, *, is_target: bool) -> set[str]:
    if isinstance(statement, exp.Show):
        return set()
    if not is_target:
        return {"SELECT"}
    if isinstance(statement, exp.Merge):
        kinds = {each for kind, each in _WRITES.items() if statement.find(kind) is not None}
        return {"SELECT", *kinds}
    return {each for kind, each in _WRITES.items() if isinstance(statement, kind)}


def unenforced(sql: str) -> str:
    """A statement that makes a table, without the constraints that Snowflake stores and does not look at."""
    with suppress(sqlglot.errors.SqlglotError):
        tree = sqlglot.parse_one(sql, dialect="snowflake")
        if isinstance(tree, exp.Create) and str(tree.args["kind"]).upper() == "TABLE":
            return tree.transform(_without_constraint).sql(dialect="snowflake")
    return sql


_KEYS: Final = {exp.PrimaryKeyColumnConstraint: "PRIMARY", exp.UniqueColumnConstraint: "UNIQUE"}


def keys_of(sql: str) -> tuple[str, list[tuple[str, list[str]]]] | None:
    """A table that a statement makes, and its keys with their columns, which ``unenforced`` leaves out."""
    with suppress(sqlglot.errors.SqlglotError):
        tree = sqlglot.parse_one(sql, dialect="snowflake")
        if not isinstance(tree, exp.Create) or str(tree.args["kind"]).upper() != "TABLE":
            return None
        keys: list[tuple[str, list[str]]] = []
        for column in tree.find_all(exp.ColumnDef):
            for each in column.find_all(exp.ColumnConstraint):
                word = _KEYS.get(type(each.kind))
                keys += [(word, [_stored(column.this)])] if word else []
        for key in tree.find_all(exp.PrimaryKey):
            keys.append(("PRIMARY", [_stored(each) for each in key.expressions]))
        name = tree.find(exp.Table)
        return (_stored(name.this) if name is not None else "", keys)
    return None


def _stored(name: exp.Expression) -> str:
    """A name as the account has it."""
    return name.name if name.args.get("quoted") else name.name.upper()


def listed_keys(kind: str, table: str, keys: list[tuple[str, list[str]]]) -> dict[str, Any]:
    """What SHOW PRIMARY KEYS, or UNIQUE, answers.

    Source: docs.snowflake.com/en/sql-reference/sql/show-primary-keys, read 2026-11.
    """
    names = ("created_on", "database_name", "schema_name", "table_name", "column_name", "key_sequence")
    rows = [
        ["2026-01-01", WRITTEN, "PUBLIC", table, column, str(place), f"SYS_CONSTRAINT_{number}"]
        for number, (word, columns) in enumerate(keys)
        for place, column in enumerate(columns, 1)
        if word == kind
    ]
    return _texts((*names, "constraint_name"), rows)


def _without_constraint(node: exp.Expression) -> exp.Expression | None:
    if isinstance(node, exp.ColumnConstraint):
        if isinstance(node.kind, exp.PrimaryKeyColumnConstraint):
            return exp.ColumnConstraint(kind=exp.NotNullColumnConstraint())
        if isinstance(node.kind, exp.UniqueColumnConstraint | exp.Reference):
            return None
    return None if isinstance(node, exp.PrimaryKey | exp.ForeignKey | exp.UniqueColumnConstraint) else node


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
    return _texts(names, rows)


def _texts(names: Sequence[str], rows: list[list[str]]) -> dict[str, Any]:
    """An answer of texts."""
    kinds = [{"name": name, "type": "text", "nullable": True, "length": 256, "byteLength": 1024} for name in names]
    kinds = [kind | {"precision": None, "scale": None} for kind in kinds]
    data = {"queryResultFormat": "json", "rowset": rows, "rowtype": kinds, "total": len(rows), "queryId": "listed"}
    return {"success": True, "code": None, "message": None, "data": data}


def failure(code: str, text: str, state: str = "08001") -> dict[str, Any]:
    return {"success": False, "code": code, "message": text, "data": {"errorCode": code, "sqlState": state}}
