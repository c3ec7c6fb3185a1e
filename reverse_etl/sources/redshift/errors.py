"""What Redshift refuses, as errors that say what to do next.

The server's own text is passed on only where it cannot quote a row: while logging in, and while a cursor is
declared, which reads no rows. Afterwards only the SQLSTATE is, in words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reverse_etl.errors import QueryError, SourceError, SourceUnavailableError
from reverse_etl.sources import _messages
from reverse_etl.sources._time_and_number import conversion_hint

_GRANT: Final = re.compile(r'permission denied for (\w+(?: \w+)?) "?([\w.$]+)"?')
_FETCH_LIMIT: Final = re.compile(r"[Ff]etch size \d+ exceeds the limit of (\d+)")
_CURSOR_FULL: Final = re.compile(r"maximum size allowed for the total set of cursor data: (\d+ ?\w*)")

_LOGIN: Final[tuple[tuple[str, str, str], ...]] = (
    ("password authentication failed", "the password of user {user} was refused", "Check {password}."),
    (r'(?:role|user) ".*" does not exist', "there is no user {user}", "Check `user`."),
    ("is not permitted to log in", "user {user} may not log in", "Ask the cluster's administrator."),
    (r'database ".*" does not exist', "there is no database {database} on the server", "Check `database`."),
    (
        "permission denied for database",
        "user {user} may not use database {database}",
        'Ask for: GRANT USAGE ON DATABASE "{database}" TO "{user}".',
    ),
    (
        r"no pg_hba.conf entry.*SSL off",
        "the server takes no unencrypted connection",
        "Leave `tls` at verify-full.",
    ),
    (
        "no pg_hba.conf entry",
        "the server does not let user {user} connect from this machine",
        "Ask the cluster's administrator.",
    ),
    (
        "too many clients|remaining connection slots|too many connections|connection limit",
        "the server has no connection left",
        "Try again later, or ask for a higher limit.",
    ),
    (
        "the database system is|maintenance|restoring|rebooting",
        "the cluster is starting, stopping or being changed",
        "Try again in a minute.",
    ),
)
"""Text in the server's message, what it means, and what to do."""

_PARAMETER: Final = frozenset({"08P01", "42P02"})
"""What a statement with ``$1`` is refused with: nothing is bound to it, or there is no such thing."""

_CAN_READ: Final = frozenset({"table", "view", "materialized view", "external table", "relation"})

_CONDITIONS: Final = {
    "0A000": "feature not supported",
    "22001": "text too long",
    "22003": "numeric value out of range",
    "22007": "invalid datetime format",
    "22008": "datetime field overflow",
    "22012": "division by zero",
    "22P02": "invalid text representation",
    "40001": "serialization failure",
    "53100": "disk full",
    "53200": "out of memory",
    "57014": "query canceled",
    "XX000": "internal error",
}
"""Source: postgresql.org/docs/8.0/errcodes-appendix.html."""

_HINTS: Final = {
    "0A000": "Functions of the leader node do not work on tables: look the function up in Redshift's documentation.",
    "42601": "Write one SELECT; Redshift's query editor shows the server's own message.",
    "42P01": "Check the name, or put its schema before it; quoted names are compared exactly, upper and lower case.",
    "42703": "Check the column's name; quoted names are compared exactly, upper and lower case.",
    "53100": "The cluster's disks are full.",
    "53200": "The cluster's memory is full: narrow the query.",
}


class Refusal(Exception):  # noqa: N818 - the server's answer, on its way to becoming an error
    """A refusal in the server's own words; never shown as they are.

    Attributes:
        code: SQLSTATE.
        text: The server's sentence; may hold a row's values.
        position: Where in the statement, from 1; 0 when not known.
        advice: The server's hint; may be empty.
    """

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(fields.get("C", ""))
        self.code = fields.get("C", "")
        self.text = fields.get("M", "")
        self.position = int(fields.get("P", "0"))
        self.advice = fields.get("H", "")

    @property
    def fetch_limit(self) -> int | None:
        """How many rows one FETCH may ask for, when it asked for too many."""
        found = _FETCH_LIMIT.search(self.text)
        return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class Messages(_messages.Messages):
    """Errors of one connection to Redshift; its facts are ``user``, ``database`` and ``password``."""

    server = "The cluster"
    faster = "a sort key on the column it filters by"

    def login(self, refusal: Refusal) -> SourceUnavailableError:
        """Why the server refuses logins."""
        for pattern, what, hint in _LOGIN:
            if re.search(pattern, refusal.text):
                return SourceUnavailableError(
                    f"{self.where}: {what.format(**self.facts)}.", hint=hint.format(**self.facts)
                )
        return SourceUnavailableError(
            f"{self.where}: no connection: {' '.join(refusal.text.split()).rstrip('.')}.",
            hint="Ask the cluster's administrator.",
        )

    def babble(self) -> SourceUnavailableError:
        """What answers does not speak the protocol, or hangs up."""
        return SourceUnavailableError(
            f"{self.where}: the server's answer to the login breaks off or is not one of Redshift's.",
            hint="Check `host` and `port`.",
        )

    def not_redshift(self) -> SourceUnavailableError:
        """The server asks for a login that Redshift has not, and that the driver gives up whatever the password is."""
        return SourceUnavailableError(
            f"{self.where}: the server asks for a login by SCRAM, as PostgreSQL does and Redshift does not.",
            hint="Check `host` and `port`; a PostgreSQL server needs `type: postgres`.",
        )

    def refused(self, refusal: Refusal, *, sql: str = "", took_s: float = 0.0) -> SourceError:
        """Why a statement was refused.

        Args:
            refusal: The server's answer.
            sql: The declared statement, when its declaration was refused: the server's own text may be passed on.
            took_s: How long the query has run.
        """
        code = refusal.code
        if code in _PARAMETER:
            return self.parameter("$1")
        if code.startswith(("08", "57P")):
            return self.lost()
        if code == "57014" and took_s >= self.longest_s * 0.95:
            return self.timed_out()
        full = _CURSOR_FULL.search(refusal.text)
        if full:
            return QueryError(
                f"{self.where}: the result is larger than the cluster keeps for cursors ({full[1]}).",
                hint="Narrow the query: fewer columns, only rows changed since {{last_sync_time}}.",
            )
        if code == "25006":
            return self.read_only()
        return self._refused_query(refusal, sql)

    def _refused_query(self, refusal: Refusal, sql: str) -> QueryError:
        code = refusal.code
        if sql and "multiple commands" in refusal.text:
            return self.several_statements()
        grant = _GRANT.match(refusal.text) if code == "42501" else None
        if grant:
            return QueryError(
                f"{self.where}: user {self.facts['user']} may not read {grant[1]} {grant[2]}.",
                hint=_right(grant[1], grant[2], self.facts["user"]),
            )
        if sql and code.startswith("42"):
            message = f"{self.where}: {refusal.text}{_line(sql, refusal.position)}."
            conversion = conversion_hint(refusal.text, "TIMESTAMP 'epoch' + {{last_sync_time}} * INTERVAL '1 second'")
            return QueryError(message, hint=conversion or refusal.advice or _HINTS.get(code, _HINTS["42601"]))
        condition = _CONDITIONS.get(code, "error")
        hint = _HINTS.get(code, "Run the query in Redshift's query editor to see the server's own message.")
        return QueryError(f"{self.where}: the server stopped the query: {condition} ({code}).", hint=hint)


def _right(kind: str, name: str, user: str) -> str:
    if kind == "schema":
        return f'Ask for: GRANT USAGE ON SCHEMA {name} TO "{user}".'
    if kind in _CAN_READ:
        return f'Ask for: GRANT SELECT ON {name} TO "{user}".'
    return f"Ask the cluster's administrator to let {user} use it."


def _line(statement: str, position: int) -> str:
    """`` (line 3)`` of a query of several lines, which begins on the statement's second."""
    if not position or statement.count("\n") < 2:
        return ""
    return f" (line {max(1, statement.count(chr(10), 0, position - 1))})"
