"""What PostgreSQL's SQLSTATEs mean for a row, and for a run.

The server's own texts quote rows (``Key (email)=(...)``), so none of them is passed on: codes, and the names of
constraints and columns are. Source: postgresql.org/docs/18/errcodes-appendix.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reverse_etl.destinations._sql import refusals
from reverse_etl.destinations.base import Refusal, TryAgain
from reverse_etl.destinations.postgres.statements import NOT_APPLIED
from reverse_etl.sources.postgres.errors import condition

if TYPE_CHECKING:
    import psycopg

    from reverse_etl.destinations.postgres.catalogue import Table

NOT_A_ROWS: Final = (
    *("08", "0A", "25", "26", "28", "2B", "2D", "3B", "3D", "3F", "40", "42", "53", "55", "57", "58", "72"),
    *("F0", "HV", "XX"),
)
"""Classes that are about no row: the server, its locks and limits, the user's rights, the table itself."""
_DENIED: Final = "42501"

_REASONS: Final = {
    "23502": "null",
    "23503": "missing_reference",
    "23505": "duplicate_value",
    "23514": "breaks_check",
    "23P01": "overlaps",
    "44000": "breaks_check",
    "P0001": "trigger",
    "P0004": "trigger",
    _DENIED: "row_policy",
    NOT_APPLIED: "not_applied",
    "22001": "too_long",
    "22003": "out_of_range",
    "22007": "wrong_value",
    "22008": "out_of_range",
    "22P02": "wrong_value",
    "22P05": "not_in_encoding",
}

_SLOW_DOWN: Final = {"40001", "40P01", "55P03", "53300"}
_LATER: Final = ("08", "40", "53", "57")
_LATER_CODES: Final = {"25006", "55P03", "55006"}
_CAUSES: Final = {
    "25006": "the server only reads: it is a standby now",
    "40001": "another transaction was in the way",
    "40P01": "a deadlock with another transaction",
    "53100": "the server's disk is full",
    "53200": "the server's memory is full",
    "53300": "the server has no connection left",
    "55P03": "a row was locked by another transaction for longer than lock_timeout",
    "57014": "the server ended the statement (statement_timeout)",
    "57P01": "the server is shutting down",
    "57P03": "the server is starting or recovering",
}


def not_a_rows_fault(table: Table) -> str:
    """The same question as ``is_a_rows_fault``, in SQL, of ``reverse_etl_state``."""
    classes = ", ".join(f"'{each}'" for each in NOT_A_ROWS)
    policies = f" AND reverse_etl_state <> '{_DENIED}'" if table.has_policies else ""
    return f"left(reverse_etl_state, 2) IN ({classes}){policies}"


def is_a_rows_fault(state: str, table: Table) -> bool:
    """Whether a statement failed for what a row holds, and not for the server's state or the user's rights."""
    return bool(state) and (state[:2] not in NOT_A_ROWS or (state == _DENIED and table.has_policies))


def refusal(place: int, state: str, *, constraint: str, column: str, table: Table) -> Refusal:
    """Why the database refused a row, by SQLSTATE; the field is the constraint's columns where it has some."""
    reason = _REASONS.get(state, "refused")
    if state == "23514" and not constraint and table.kind == "p":
        reason = "no_partition"
    columns = table.constraints.get(constraint) or ((column,) if column else ())
    message = f"{condition(state)} ({state})" if reason == "refused" else ""
    return refusals.refusal(place, reason, columns, constraint=constraint, message=message)


def trouble(error: psycopg.Error, *, lost: bool) -> TryAgain | None:
    """What to try again after a while; None for what lasts.

    Args:
        error: What psycopg raised.
        lost: Whether the connection is gone.
    """
    state = error.sqlstate or ""
    if state[:2] in _LATER or state in _LATER_CODES:
        return TryAgain(_CAUSES.get(state, f"{condition(state)} ({state})"), slow_down=state in _SLOW_DOWN)
    return TryAgain("the connection was lost") if lost else None
