"""What MySQL's and MariaDB's error numbers mean for a row, and for a run.

The servers' own texts quote rows (``Duplicate entry '...'``): of them the names of keys, constraints and columns are
taken, where the table has such a name. Sources: dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html,
mariadb.com/kb/en/mariadb-error-code-reference.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations._sql import refusals
from reverse_etl.destinations.base import Refusal, TryAgain

if TYPE_CHECKING:
    from reverse_etl.destinations.mysql.catalogue import Table
    from reverse_etl.destinations.mysql.statements import Statements
    from reverse_etl.sources.mysql.wire import Refused

_REASONS: Final = {
    **dict.fromkeys((1048, 1364), "null"),
    **dict.fromkeys((1062, 1586, 1761, 1762, 1859), "duplicate_value"),
    **dict.fromkeys((1216, 1452), "missing_reference"),
    **dict.fromkeys((1369, 3819, 4025), "breaks_check"),
    **dict.fromkeys((1526, 1748), "no_partition"),
    1644: "trigger",
    **dict.fromkeys((1406, 1118), "too_long"),
    **dict.fromkeys((1264, 1416, 1441, 1690), "out_of_range"),
    **dict.fromkeys((1265, 1292, 1366, 1367, 1411, 1525, 3140, 3141, 3144, 3156), "wrong_value"),
    **dict.fromkeys((1217, 1451), "referenced"),
    1365: "refused",
}
"""Errors that are a row's own."""
_OWN_NUMBERS: Final = 20_000
"""From here on, numbers are those of a trigger's author."""
_DENIALS: Final = {1044, 1142, 1143, 1227, 1370}

_SLOW_DOWN: Final = {1040, 1203, 1205, 1213, 1226}
_CAUSES: Final = {
    1020: "another transaction was in the way",
    1021: "the server's disk is full",
    1030: "the server's storage failed",
    1037: "the server's memory is full",
    1038: "the server's memory for sorting is full",
    1040: "the server has no connection left",
    1041: "the server's memory is full",
    1047: "the server's cluster is not ready",
    1053: "the server is shutting down",
    1077: "the server is shutting down",
    1114: "the server has no room left for the table",
    1180: "the server could not commit",
    1203: "the user has no connection left",
    1205: "a row was locked by another transaction for longer than lock_timeout",
    1206: "the server has no room left for locks",
    1213: "a deadlock with another transaction",
    1226: "the user has used up what the server grants",
    1290: "the server only reads: it is a replica now",
    1317: "the server ended the statement",
    1614: "another transaction was in the way",
    1792: "the server only reads",
    1836: "the server only reads: it is a replica now",
    1927: "the server ended the connection",
    1969: "the server ended the statement (max_statement_time)",
    3024: "the server ended the statement (max_execution_time)",
    3100: "the server's cluster refused the transaction",
    3101: "another transaction of the server's cluster was in the way",
}
"""What may be over after a while."""

_STAGED: Final = re.compile(r"[`'.]c(\d+)[`']")
_COLUMN: Final = re.compile(r"(?:[Cc]olumn|Field) '([^']+)'")
_KEY: Final = re.compile(r".*for key '(.+)'$", re.DOTALL)
_FOREIGN: Final = re.compile(r"CONSTRAINT `((?:[^`]|``)+)` FOREIGN KEY \(((?:`(?:[^`]|``)+`(?:, )?)+)\) REFERENCES")
_CHECK: Final = re.compile(r"^(?:CONSTRAINT `((?:[^`]|``)+)` failed|Check constraint '(.+)' is violated)")


def is_a_rows_fault(refused: Refused) -> bool:
    """Whether a statement failed for what a row holds, and not for the server's state or the user's rights."""
    return not refused.lost and (refused.code in _REASONS or refused.code >= _OWN_NUMBERS)


def a_rows_fault() -> str:
    """The same question in SQL, of the number in braces."""
    return f"({{0}} IN ({', '.join(map(str, _REASONS))}) OR {{0}} >= {_OWN_NUMBERS})"


def denied(refused: Refused) -> bool:
    """Whether the user lacks a right."""
    return refused.code in _DENIALS


def refusal(place: int, refused: Refused, table: Table, statements: Statements) -> Refusal:
    """Why the database refused a row; the field is the constraint's columns where it has some."""
    code, text = refused.code, refused.text
    reason = _REASONS.get(code, "trigger")
    if code == 1366 and "string value" in text:
        reason = "not_in_encoding"
    if reason == "duplicate_value" and (found := _KEY.search(text)) and (name := _known(found[1], table, table.keys)):
        return refusals.refusal(place, reason, table.keys[name].columns, constraint=name)
    if reason == "missing_reference" and (found := _FOREIGN.search(text)):
        names = [name.replace("``", "`") for name in re.findall(r"`((?:[^`]|``)+)`", found[2])]
        return refusals.refusal(place, reason, names, constraint=found[1].replace("``", "`"))
    if reason == "breaks_check" and (found := _CHECK.search(text)):
        name = _known(found[2] or found[1].replace("``", "`"), table, table.checks)
        return refusals.refusal(place, reason, table.checks.get(name, ()), constraint=name)
    message = f"an expression of the table divides by zero (error {code})" if reason == "refused" else ""
    return refusals.refusal(place, reason, _columns(text, table, statements), message=message)


def _known(name: str, table: Table, names: Collection[str]) -> str:
    """A name as the catalogue has it, which messages write with or without the table's before it; empty for none."""
    return next((each for each in (name, name.removeprefix(f"{table.name}.")) if each in names), "")


def _columns(text: str, table: Table, statements: Statements) -> tuple[str, ...]:
    """The column that a text names, of the stage or of the table."""
    if "at row" in text and (places := _STAGED.findall(text.rpartition("for column")[2])):
        at = int(places[-1])
        return (statements.columns[at].fits.name,) if at < len(statements.columns) else ()
    named = [name for name in _COLUMN.findall(text) if name in table.columns]
    return (named[-1],) if named else ()


def trouble(refused: Refused) -> TryAgain | None:
    """What to try again after a while; None for what lasts."""
    if (cause := _CAUSES.get(refused.code)) is not None:
        return TryAgain(cause, slow_down=refused.code in _SLOW_DOWN)
    return TryAgain("the connection was lost") if refused.lost else None
