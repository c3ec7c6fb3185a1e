"""Why a request has no answer, in words, without addresses or content."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx

from reverse_etl.destinations._http.timeouts import CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from reverse_etl.http import certificates


def cause_of(error: httpx.RequestError, *, answer_timeout_s: float = READ_TIMEOUT_S) -> str:
    """Why there is no answer."""
    if lasting := lasting_cause(error):
        return lasting
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {CONNECT_TIMEOUT_S:.0f} s"
    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {answer_timeout_s:g} s"
    if isinstance(error, httpx.ConnectError):
        return next(filter(None, map(_passing_cause, certificates.chain(error))), "cannot connect")
    return "the connection broke before the answer was complete"


def lasting_cause(error: BaseException) -> str:
    """A cause that waiting does not mend: an unknown host or a certificate that is not trusted; else empty."""
    if found := certificates.untrusted(error):
        return f"its TLS certificate is not trusted ({found.verify_message})"
    names = (each for each in certificates.chain(error) if isinstance(each, socket.gaierror))
    return "its host name is unknown" if any(each.errno == socket.EAI_NONAME for each in names) else ""


def _passing_cause(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "its host name cannot be looked up now"
    if isinstance(error, ssl.SSLError):
        return "no TLS connection can be made"
    if isinstance(error, ConnectionResetError):
        return "the connection was reset while it was made"
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "there is no way to its network"
    return "the connection was refused" if isinstance(error, ConnectionRefusedError) else ""
