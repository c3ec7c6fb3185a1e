"""What ClickHouse's error codes mean for a row, for a run, and for a login.

The server's own texts quote rows (``Column values: score = 1000``), so none of them is passed on. Source:
github.com/ClickHouse/ClickHouse, src/Common/ErrorCodes.cpp.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import Final

from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from reverse_etl.destinations._sql import refusals
from reverse_etl.destinations.base import Refusal, TryAgain
from reverse_etl.destinations.clickhouse.session import Refused, chain
from reverse_etl.sources._messages import Problem

VIOLATED: Final = 469
_DENIED: Final = 497
_READ_ONLY: Final = 164

_REASONS: Final = {
    VIOLATED: "breaks_check",
    349: "null",
    131: "too_long",
    **dict.fromkeys((69, 321, 407), "out_of_range"),
    **dict.fromkeys((6, 26, 27, 38, 41, 72, 117, 130, 376, 441, 675, 676, 691), "wrong_value"),
}
"""Errors that are a row's own."""

_SLOW_DOWN: Final = {159, 201, 202, 241, 252, 745}
_CAUSES: Final = {
    159: "the server ended the statement (max_execution_time)",
    160: "the server ended the statement for its slowness",
    201: "the user has used up what the server grants (quota)",
    202: "the server runs as many statements as it takes",
    203: "the server has no connection left",
    209: "the server lost its connection to another one",
    210: "the server lost its connection to another one",
    225: "the server cannot reach its keeper",
    236: "the server ended the statement",
    241: "the server's memory is full",
    242: "the table only reads: its replica has lost its keeper",
    243: "the server's disk is full",
    252: "the table has too many parts, which the server has to merge first",
    279: "the server cannot reach another one",
    285: "too few replicas of the table are alive",
    286: "an earlier insert has not reached enough replicas",
    319: "the server does not know what became of the insert",
    394: "the server ended the statement",
    425: "the server's disk or network failed",
    473: "the table is locked by another statement",
    722: "the server is starting",
    745: "the server has too much to do",
    999: "the server's keeper failed",
}
"""What may be over after a while."""

_LIMITS: Final = {158, 191, 307, 396}
"""How many rows or bytes a statement may read, give or keep, by the user's profile."""

_LOGIN: Final = {
    **dict.fromkeys((192, 193, 194, 516), ("user {user} or the password was refused", "Check `user` and {password}.")),
    195: (
        "the server refuses user {user} from this machine's address",
        "Ask for: ALTER USER {user} HOST with this machine's address.",
    ),
    81: ("there is no database {database} on the server, or user {user} may not use it", "Check `database`."),
    _DENIED: (
        "user {user} lacks a right to use database {database}",
        "Ask for: GRANT SELECT, INSERT ON {database}.* TO {user}.",
    ),
    _READ_ONLY: (
        "user {user} may change neither tables nor settings (profile with readonly)",
        "Ask for a user whose profile has readonly = 0.",
    ),
}
"""By the server's code: what it means, and what to do."""
_CREDENTIALS: Final = {192, 193, 194, 516}
_STATUS: Final = re.compile(r"HTTP status (\d+)")
_PASSING: Final = {"429", "502", "503", "504"}


_NETWORK: Final[tuple[tuple[type[BaseException], str, str], ...]] = (
    (
        ssl.SSLError,
        "no encrypted connection can be made",
        "Check `port` (8443 is that of HTTPS, 8123 is not), and which TLS versions the server takes.",
    ),
    (socket.gaierror, "there is no host {{host}}", "Check `host`."),
    (ConnectionRefusedError, "nothing answers at {place}", "Check `host` and `port`, and that the server runs."),
    (TimeoutError, "{place} does not answer", "Check `host`, `port` and the firewalls in between."),
    (NewConnectionError, "{place} cannot be reached", "Check `host`, `port` and the network."),
    (ConnectTimeoutError, "{place} does not answer", "Check `host`, `port` and the firewalls in between."),
)
"""What the network says: the first that is found among what an error comes from."""


def is_a_rows_fault(refused: Refused) -> bool:
    """Whether a statement failed for what a row holds, and not for the server's state or the user's rights."""
    return refused.code in _REASONS


def refusal(place: int, refused: Refused) -> Refusal:
    """Why the server refused a row, of which it names no column."""
    return refusals.refusal(place, _REASONS[refused.code])


def denied(refused: Refused) -> bool:
    """Whether the user lacks a right."""
    return refused.code == _DENIED


def only_reads(refused: Refused) -> bool:
    """Whether the user may only read, by profile."""
    return refused.code == _READ_ONLY


def beyond_a_limit(refused: Refused) -> bool:
    """Whether a statement is larger than the user's profile allows."""
    return refused.code in _LIMITS


def trouble(refused: Refused) -> TryAgain | None:
    """What to try again after a while; None for what lasts."""
    if (cause := _CAUSES.get(refused.code)) is not None:
        return TryAgain(cause, slow_down=refused.code in _SLOW_DOWN)
    if not refused.lost or (_status(refused) not in _PASSING and refused.because is None):
        return None
    return TryAgain("the connection was lost")


def problem_of(refused: Refused, facts: dict[str, str]) -> Problem:
    """Why there is no session.

    Args:
        refused: What the server or the network says.
        facts: What texts may name: ``host``, ``port``, ``user``, ``database``, ``password``: where it comes from.
    """
    network, code = _network(refused, facts), refused.code
    if code in _CAUSES:
        return Problem(_CAUSES[code], "Try again in a minute.", passes=True, credentials=False)
    what, hint = network or _LOGIN.get(code) or (f"the server refuses the session (error {code})", "")
    hint = hint or "Look into the server's log, which has the whole message."
    passes = network is not None and not _verifies(refused) and _status(refused) in (*_PASSING, "")
    return Problem(what.format(**facts), hint.format(**facts), passes, code in _CREDENTIALS)


def _network(refused: Refused, facts: dict[str, str]) -> tuple[str, str] | None:
    """The network's or TLS's own reason, if it is one of them."""
    place = f"{facts['host']} port {facts['port']}"
    because_of = [*chain(refused.because)]
    for because in because_of:
        if isinstance(because, ssl.SSLCertVerificationError):
            return _untrusted(because)
    for kind, what, hint in _NETWORK:
        if any(isinstance(because, kind) for because in because_of):
            return what.format(place=place), hint
    if because_of:
        return f"{place} closed the connection", "Check `host` and `port`, and that it is ClickHouse's HTTP port."
    if refused.lost:
        return (
            f"what answers at {place} is not ClickHouse (HTTP status {_status(refused) or 'unknown'})",
            "Check `host` and `port`: that of HTTPS is 8443, that of HTTP 8123.",
        )
    return None


def _untrusted(because: ssl.SSLCertVerificationError) -> tuple[str, str]:
    if "ostname" in because.verify_message or "IP address" in because.verify_message:
        return (
            "the server's certificate is for another name than {host}",
            "Use the name in the certificate as `host`.",
        )
    return (
        "the server's certificate is not by an authority that this machine trusts",
        "Set `ca_file` to the authority's PEM file.",
    )


def _verifies(refused: Refused) -> bool:
    return any(isinstance(because, ssl.SSLError) for because in chain(refused.because))


def _status(refused: Refused) -> str:
    found = _STATUS.search(refused.text)
    return found[1] if found else ""
