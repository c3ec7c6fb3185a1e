"""What PostgreSQL refuses, as errors that say what to do next.

The server's own text is passed on only where it cannot quote a row: while logging in, and while a query is
prepared, which reads no rows. Afterwards only the SQLSTATE's name is, because messages like
``invalid input syntax for type integer: "..."`` hold values.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg.pq import DiagnosticField as Field

from reverse_etl.errors import QueryError, SourceError, SourceUnavailableError
from reverse_etl.sources import _messages
from reverse_etl.sources._time_and_number import conversion_hint
from reverse_etl.sources.postgres.login import problem_of

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

_GRANT: Final = re.compile(r'permission denied for (\w+(?: \w+)?) "?([\w.$]+)"?')
_NO_QUOTES: Final = re.compile(r'\(?"[^"]*"\)?')
_CAN_READ: Final = {"table", "view", "materialized view", "foreign table", "partitioned table", "relation"}

_UNQUOTED: Final = (
    "Where a date-time is compared with last sync time, write to_timestamp({{last_sync_time}}), without quotes."
)
_HINTS: Final = {
    "42601": "Write one SELECT; psql shows the server's own message.",
    "22007": _UNQUOTED,
    "22008": _UNQUOTED,
    "42P01": "Check the name, or put its schema before it: schema.table.",
    "42703": "Check the column's name; names with upper-case letters need double quotes.",
    "40001": "The server is a standby that had to apply changes: try again, or ask for hot_standby_feedback.",
    "53100": "The server's disk is full.",
    "53200": "The server's memory is full: narrow the query.",
}


@dataclass(frozen=True, slots=True)
class Messages(_messages.Messages):
    """Errors of one connection to PostgreSQL; its facts are those of a server."""

    def login(self, error: psycopg.Error) -> SourceUnavailableError:
        """Why there is no connection."""
        problem = problem_of(error, self.facts)
        return self.unavailable(problem.what, problem.hint)

    def refused(self, result: PGresult, *, sql: str = "", began: float = 0.0) -> SourceError:
        """Why a result failed.

        Args:
            result: The result.
            sql: The query, when the result is of preparing it: the server's own text may be passed on.
            began: When the query was sent, by ``time.monotonic``.
        """
        code = _text(result, Field.SQLSTATE)
        if not code or code.startswith(("08", "57P")):
            return self.lost()
        if code == "57014" and time.monotonic() - began >= self.longest_s * 0.95:
            return self.timed_out()
        if code == "25006":
            return self.read_only()
        primary = _text(result, Field.MESSAGE_PRIMARY)
        if sql and "multiple commands" in primary:
            return self.several_statements()
        grant = _GRANT.match(primary) if code == "42501" else None
        if grant:
            hint = _grant(grant[1], grant[2], self.facts["user"])
            message = f"user {self.facts['user']} may not read {grant[1]} {grant[2]}"
            return QueryError(f"{self.where}: {message}.", hint=hint)
        if sql and code.startswith("42"):
            line = _line(sql, _text(result, Field.STATEMENT_POSITION))
            conversion = conversion_hint(primary, "to_timestamp({{last_sync_time}})")
            hint = conversion or _text(result, Field.MESSAGE_HINT) or _HINTS.get(code, "")
            return QueryError(f"{self.where}: {primary}{line}.", hint=hint)
        hint = _HINTS.get(code, "Run the query in psql to see the server's own message.")
        return QueryError(f"{self.where}: the server stopped the query: {condition(code)} ({code}).", hint=hint)


def condition(sqlstate: str) -> str:
    """The name of an SQLSTATE in words, as ``division by zero``."""
    try:
        name = psycopg.errors.lookup(sqlstate).__name__
    except KeyError:
        return "error"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _grant(kind: str, name: str, user: str) -> str:
    if kind == "schema":
        return f'Ask for: GRANT USAGE ON SCHEMA {name} TO "{user}".'
    if kind in _CAN_READ:
        return f'Ask for: GRANT SELECT ON {name} TO "{user}".'
    return f"Ask the database's administrator to let {user} use it."


def _line(sql: str, position: str) -> str:
    """`` (line 3)`` of a query of several lines."""
    if not position or "\n" not in sql.strip():
        return ""
    return f" (line {sql[: int(position) - 1].count(chr(10)) + 1})"


def _text(result: PGresult, name: Field) -> str:
    return (result.error_field(name) or b"").decode(errors="replace")
