"""What Snowflake refuses, as errors that say what to do next.

Snowflake's own text is passed on only where it cannot quote a row: while logging in, and while a statement is
compiled, which reads no rows. Afterwards only its number is, because messages like ``Numeric value '...' is not
recognized`` hold values.

Numbers: docs.snowflake.com/en/user-guide/troubleshooting-common-login-errors (390...), and the texts of the service.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from snowflake.connector import errors as driver
from snowflake.connector.network import ReauthenticationRequest

from reverse_etl.errors import QueryError, SourceError, SourceUnavailableError
from reverse_etl.sources import _messages
from reverse_etl.sources._time_and_number import conversion_hint

FAILURES: Final = (driver.Error, ReauthenticationRequest, OSError)
"""What the connector raises. Its copy of requests raises OSErrors."""

_LOGIN: Final[dict[int, tuple[str, str]]] = {
    390100: ("the password of user {user} was refused", "Check `account`, `user` and {secret}."),
    390101: ("user {user} is disabled", "Ask for: ALTER USER {user} SET DISABLED = FALSE."),
    390102: ("user {user} is locked after too many failed logins", "Try again in 15 minutes, with the right {method}."),
    390144: (
        "the key of user {user} was refused",
        "Ask for: ALTER USER {user} SET RSA_PUBLIC_KEY = '...' with the public half of {secret}; "
        "check `account` and `user` too, and this machine's clock.",
    ),
    390186: ("user {user} may not use role {role}", "Ask for: GRANT ROLE {role} TO USER {user}."),
    390189: ("user {user} may not use role {role}", "Check `role`, or ask for: GRANT ROLE {role} TO USER {user}."),
    390195: ("the token of user {user} may not be used here", "Ask for a token of the right scope; it is {secret}."),
    390303: ("the OAuth token was refused", "Put a new one where {secret} comes from."),
    390318: ("the OAuth token has expired", "Put a new one where {secret} comes from, before each run."),
    390420: ("Snowflake lets user {user} not connect from this network", "Ask to allow it in the network policy."),
    390422: ("Snowflake lets user {user} not connect from this network", "Ask to allow it in the network policy."),
    390432: ("Snowflake wants a network policy for the token of user {user}", "Ask for one, or use a key pair."),
}
"""By the number of a refused login, what it means, and what to do."""

_ACCOUNT: Final = "Check `account` (organization-account, as in Snowsight's address), and `host` where it is set."

_REACHING: Final[tuple[tuple[str, str, str], ...]] = (
    (
        r"getaddrinfo|Failed to resolve|NameResolution|Name or service not known|nodename nor servname",
        "there is no host {host}",
        _ACCOUNT,
    ),
    (
        "ProxyError|Cannot connect to proxy|Tunnel connection failed",
        "the proxy lets nothing through",
        "Check HTTPS_PROXY in the environment, or name {host} in NO_PROXY.",
    ),
    (
        "Hostname mismatch|doesn't match|not valid for",
        "the server's certificate is for another name than {host}",
        "Check `host`, and what opens TLS in between.",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED|certificate verify failed|self.signed",
        "the server's certificate is not by an authority that this machine trusts",
        "If a proxy of your company opens TLS, put its authority's PEM file into REQUESTS_CA_BUNDLE.",
    ),
    (
        "OCSP|[Rr]evocation|revoked",
        "whether the server's certificate is revoked could not be made sure of",
        "Let this machine reach ocsp.snowflakecomputing.com on port 80.",
    ),
    (
        "SSLError|SSL",
        "{host} port {port} does not speak TLS",
        "Check `host` and `port`, and what opens TLS in between.",
    ),
    (
        "Connection refused",
        "nothing answers at {host} port {port}",
        "Check `host` and `port`, and the firewalls in between.",
    ),
    (
        "290404|404 Not Found|Verify the account name|403 Forbidden|290403",
        "there is no account {account} at {host}",
        _ACCOUNT,
    ),
    (
        "Multi-factor|MFA|second factor",
        "user {user} needs a second factor",
        "A program cannot give one: use `private_key` or a programmatic access token, with a user of TYPE = SERVICE.",
    ),
    (
        "timed out|Timeout|Could not connect|RETRY|Service is unavailable|50[0-9]",
        "{host} port {port} does not answer",
        "Check `account` and the firewalls in between, and status.snowflake.com.",
    ),
)
"""Text of the chain of errors, what it means, and what to do."""

_PASSPHRASE: Final = "Check the value of `private_key_passphrase`."  # noqa: S105 - advice
_PEM: Final = "It is RSA or ECDSA and begins with -----BEGIN PRIVATE KEY----- or -----BEGIN ENCRYPTED PRIVATE KEY-----."

_PREFIX: Final = re.compile(r"Failed to connect to DB: \S+ ")
_OBJECT: Final = re.compile(r"requested (\w+) does not exist", re.IGNORECASE)
_COMPILATION: Final = re.compile(r"SQL (?:compilation|access control) error:?\s*", re.IGNORECASE)
_PLACE: Final = re.compile(r"(?:^error )?line (\d+) at position \d+:?\s*", re.IGNORECASE)
_NAME: Final = re.compile(r"Object '([^']+)'")

_COMPILED: Final[dict[int, str]] = {
    904: 'Check the column\'s name; names that were made with lower-case letters need double quotes: "name".',
    1003: "Write one SELECT; Snowsight shows where the statement breaks off.",
    2003: "Check the name, or put database and schema before it: database.schema.table; or ask for: {grant}",
    2043: "Check the name, or put database and schema before it: database.schema.table; or ask for: {grant}",
    3001: "Ask for what the role lacks: {grant}",
    90105: "Set `database`, or put database and schema before each table: database.schema.table.",
    90106: "Set `schema`, or put it before each table: schema.table.",
}
_STOPPED: Final[dict[int, tuple[str, str]]] = {
    606: (
        "no warehouse runs the session's queries",
        "Set `warehouse`, and ask for: GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE {role}.",
    ),
    608: ("warehouse {warehouse} cannot be resumed", "Ask whether a resource monitor has suspended it."),
    90073: ("warehouse {warehouse} cannot be resumed", "Ask whether a resource monitor has suspended it."),
    8: ("the query has more than one statement", "Write one SELECT."),
    604: ("the query was canceled on the server", "Run the sync again."),
    625: ("the query was canceled on the server", "Run the sync again."),
    639: ("the account's warehouses are suspended: the account is locked", "Ask the account's administrator."),
}
_STATEMENT_TIMEOUT: Final = 630
_INCOMPLETE: Final = 252013
_TRANSPORT: Final = range(250_000, 300_000)
_SESSION_GONE: Final = range(390_100, 390_200)


_CREDENTIALS: Final = frozenset({390100, 390101, 390102, 390144, 390195, 390303, 390318})
_PASSING: Final = ("Connection refused", "timed out|")
"""How the patterns begin of what may be over after a while."""


class LoginError(SourceUnavailableError):
    """There is no session.

    Attributes:
        passes: Whether it may be over after a while: nothing answered.
        credentials: Whether the user, or what proves who it is, was refused.
    """

    passes = False
    credentials = False


@dataclass(frozen=True, slots=True)
class Messages(_messages.Messages):
    """Errors of one connection to Snowflake.

    Its facts are ``account``, ``user``, ``host``, ``port``, ``role``, ``warehouse``, ``database``, ``schema``;
    ``secret``: where the secret comes from, ``method``: its key in connections.yaml.
    """

    server = "Snowflake"
    faster = "fewer columns, a larger warehouse"

    def login(self, error: BaseException) -> LoginError:
        """Why there is no connection."""
        error = getattr(error, "cause", error)
        number, text = getattr(error, "errno", None), _text(error)
        if number in _LOGIN:
            found = self._unavailable(*_LOGIN[number])
            found.credentials = number in _CREDENTIALS
            return found
        if missing := _OBJECT.search(text):
            kind = missing[1].lower()
            return self._unavailable(
                "there is no {kind} {name}, or role {role} may not use it",
                "Check `{kind}`, or ask for: GRANT USAGE ON {capitals} {name} TO ROLE {role}.",
                kind=kind,
                capitals=kind.upper(),
                name=self.facts.get(kind, ""),
            )
        for chain in ("\n".join(_chain(error)), type(error).__name__):
            for pattern, what, hint in _REACHING:
                if re.search(pattern, chain):
                    found = self._unavailable(what, hint)
                    found.passes = pattern.startswith(_PASSING)
                    return found
        text = _PREFIX.sub("", text).rstrip(".")
        return LoginError(
            f"{self.where}: no connection: {text} ({number}).", hint="Look the number up in Snowflake's documentation."
        )

    def key_protected(self, key: str, *, given: bool) -> SourceUnavailableError:
        """The private key has a passphrase and none is given, or the other way round."""
        if given:
            return self._unavailable("{key} has no passphrase", "Leave out `private_key_passphrase`.", key=key)
        return self._unavailable("{key} is protected", "Set `private_key_passphrase: ${{NAME}}`.", key=key)

    def key_unusable(self, key: str, *, protected: bool) -> SourceUnavailableError:
        """The private key cannot be read."""
        if protected:
            return self._unavailable("{key} does not open with the passphrase", _PASSPHRASE, key=key)
        return self._unavailable("{key} is not a private key that Snowflake takes", _PEM, key=key)

    def incomplete(self) -> SourceUnavailableError:
        """Fewer rows came than Snowflake had announced."""
        return SourceUnavailableError(
            f"{self.where}: a part of the result came without all its rows.", hint="Run the sync again."
        )

    def unreadable(self, column: str = "") -> QueryError:
        """The connector cannot read a column, or a value of one that it does not name."""
        return QueryError(
            f"{self.where}: the connector cannot read {f'column `{column}`' if column else 'a column'} of the result.",
            hint="Cast it: DECFLOAT with ::VARCHAR, date-times with ::TIMESTAMP_NTZ(6).",
        )

    def refused(self, error: BaseException, *, began: float) -> SourceError:
        """Why a statement failed.

        Args:
            error: One of ``FAILURES``.
            began: When the statement was sent, by ``time.monotonic``.
        """
        late = time.monotonic() - began >= self.longest_s * 0.95
        number: Any = getattr(error, "errno", None)
        if number == _STATEMENT_TIMEOUT or (late and (number == 604 or not isinstance(number, int))):
            return self.timed_out() if late else self._stopped("its own time limit ended the query", number)
        if not isinstance(number, int) or number in _TRANSPORT or number in _SESSION_GONE or number < 0:
            return self.timed_out() if late else (self.incomplete() if number == _INCOMPLETE else self.lost())
        if number in _STOPPED:
            what, hint = _STOPPED[number]
            return self._query(what, hint)
        text = _text(error)
        if number in _COMPILED or _COMPILATION.match(text):
            hint = _COMPILED.get(number, "Check the query against the database's tables and columns.")
            conversion = conversion_hint(text, "TO_TIMESTAMP_NTZ({{last_sync_time}})")
            if conversion:
                return self._query("{reason}", "{conversion}", reason=_reason(text), conversion=conversion)
            return self._query("{reason}", hint, reason=_reason(text), grant=self._grant(text))
        return self._query(f"Snowflake stopped the query ({number:06d})", "Run it in Snowsight to see why.")

    def _stopped(self, what: str, number: int) -> QueryError:
        return self._query(f"{what} ({number:06d})", "Ask for a longer STATEMENT_TIMEOUT_IN_SECONDS of the warehouse.")

    def _grant(self, text: str) -> str:
        name = _NAME.search(text)
        return f"GRANT SELECT ON TABLE {name[1] if name else '...'} TO ROLE {self.facts['role']}."

    def _unavailable(self, what: str, hint: str, **more: str) -> LoginError:
        facts = self.facts | more
        return LoginError(f"{self.where}: {what.format(**facts)}.", hint=hint.format(**facts))

    def _query(self, what: str, hint: str, **more: str) -> QueryError:
        facts = self.facts | more
        return QueryError(f"{self.where}: {what.format(**facts)}.", hint=hint.format(**facts))


def _reason(text: str) -> str:
    """Snowflake's text of a statement that does not compile, in one line: ``invalid identifier 'X' (line 2)``."""
    text = " ".join(_COMPILATION.sub("", text).split()).rstrip(".")
    place = _PLACE.search(text)
    if place is None:
        return text
    text = " ".join(_PLACE.sub("", text).split())
    return f"{text} (line {place[1]})" if place[1] != "1" else text


def _text(error: BaseException) -> str:
    text = getattr(error, "raw_msg", None) or getattr(error, "msg", None) or str(error)
    return " ".join(str(text).split())


def _chain(error: BaseException | None) -> Iterator[str]:
    """The error and what it came from, as text."""
    while error is not None:
        yield f"{type(error).__name__}: {error}"
        error = error.__cause__ or error.__context__
