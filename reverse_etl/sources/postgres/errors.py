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

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

_GRANT: Final = re.compile(r'permission denied for (\w+(?: \w+)?) "?([\w.$]+)"?')
_NO_QUOTES: Final = re.compile(r'\(?"[^"]*"\)?')
_CAN_READ: Final = {"table", "view", "materialized view", "foreign table", "partitioned table", "relation"}


_LOGIN: Final[tuple[tuple[str, str, str], ...]] = (
    ("password authentication failed", "the password of user {user} was refused", "Check {password}."),
    ("no password supplied", "user {user} needs a password", "Set `password: ${{NAME}}` in connections.yaml."),
    ("is not permitted to log in", "user {user} may not log in", 'Ask for: ALTER ROLE "{user}" LOGIN.'),
    (r'role ".*" does not exist', "there is no user {user}", "Check `user`."),
    (r'database ".*" does not exist', "there is no database {database} on the server", "Check `database`."),
    (
        "permission denied for database",
        "user {user} may not use database {database}",
        'Ask for: GRANT CONNECT ON DATABASE "{database}" TO "{user}".',
    ),
    (
        "no pg_hba.conf entry.*no encryption",
        "the server takes no unencrypted connection from here",
        "Leave `tls` at verify-full, or ask for a line in the server's pg_hba.conf.",
    ),
    (
        "no pg_hba.conf entry",
        "the server lets user {user} not connect from this machine",
        "Ask for a line in the server's pg_hba.conf.",
    ),
    (
        "does not match host name",
        "the server's certificate is for another name than {host}",
        "Use the name in the certificate as `host`.",
    ),
    (
        "certificate verify failed",
        "the server's certificate is not by an authority that this machine trusts",
        "Set `ca_file` to the authority's PEM file (cloud providers publish theirs).",
    ),
    (
        "does not support SSL",
        "the server does not speak TLS",
        "Turn TLS on there, or set `tls: disable` when the network is private.",
    ),
    ("root certificate file", "`ca_file` cannot be used", "Check that it is a readable PEM file."),
    ("could not read root certificate", "`ca_file` cannot be used", "Check that it is a readable PEM file."),
    (
        "Connection refused",
        "nothing answers at {host} port {port}",
        "Check `host` and `port`, and that the server runs.",
    ),
    (
        "failed to resolve host|could not translate host name|Name or service not known",
        "there is no host {host}",
        "Check `host`.",
    ),
    (
        "timeout expired|timed out",
        "{host} port {port} does not answer",
        "Check `host`, `port` and the firewalls in between.",
    ),
    (
        "too many clients|remaining connection slots|too many connections",
        "the server has no connection left",
        "Try again later, or ask for a higher limit.",
    ),
    (
        "closed the connection unexpectedly|Connection reset|Broken pipe|SSL SYSCALL error",
        "{host} port {port} closed the connection before the login was over",
        "Check that a PostgreSQL server is at `port`, and what firewalls and proxies in between let through.",
    ),
    ("the database system is", "the server is starting, stopping or recovering", "Try again in a minute."),
)
"""Text in libpq's message, what it means, and what to do."""

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
        text = " ".join(str(error).split())
        for pattern, what, hint in _LOGIN:
            if re.search(pattern, text):
                message, hint = what.format(**self.facts), hint.format(**self.facts)
                return SourceUnavailableError(f"{self.where}: {message}.", hint=hint)
        return SourceUnavailableError(
            f"{self.where}: no connection: {text.removeprefix('connection failed: ')}.",
            hint="Try with psql from this machine, with the same host, port, database and user.",
        )

    def refused(self, result: PGresult, *, sql: str = "", began: float = 0.0) -> SourceError:
        """What a failed result says.

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
