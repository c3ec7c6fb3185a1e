"""Who may look and who may act: only this machine, under its own name, and nothing that another site sends.

The page has no login. It listens on the loopback address, where every program of this machine may reach it, and a
browser may be made to: by a name that is pointed here (DNS rebinding), by a form on another site, or within a frame.
Source: OWASP, Cross-Site Request Forgery Prevention Cheat Sheet, read 2026-11.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FIELD: Final = "form"
"""The field of a form that shows that the form is ours."""

_COOKIE: Final = "reverse_etl_syncs_page"
_MOST_FORM_BYTES: Final = 10_000
_ELSEWHERE: Final = "This page is only for this machine: open it as http://localhost, with its port.\n"
_OWN_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Not `no-referrer`, with which browsers send a form of ours without its origin.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


class Guarded:
    """An ASGI application that only answers under this machine's own names, with headers that keep its pages apart."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, or refuses it."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        if scope["type"] != "http" or _host(scope) in _OWN_NAMES:
            await self._app(scope, receive, send_guarded)
            return
        await PlainTextResponse(_ELSEWHERE, 421)(scope, receive, send_guarded)


class Forms:
    """Forms of this page alone: each has a token that fits the browser's cookie."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def token(self, request: Request) -> str:
        """For the forms of a page that answers a request; ``remember`` sends the cookie that it fits."""
        return self._token_of(_session(request))

    def remember(self, request: Request, response: Response) -> Response:
        """Sends the browser its cookie, where it has none."""
        if _COOKIE not in request.cookies:
            response.set_cookie(_COOKIE, _session(request), httponly=True, samesite="strict")
        return response

    async def refused(self, request: Request) -> str:
        """Why a form must not be obeyed, a sentence; empty where it is ours."""
        origin = request.headers.get("origin")
        if origin is None or origin.partition("://")[2] != request.headers.get("host"):
            return "This form was not sent by the Syncs page. Open the page, and press the button there."
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_FORM_BYTES:
                return "This form is too long to be one of the Syncs page."
        fields = parse_qs(body.decode("ascii", "replace"))
        given = fields.get(FIELD, [""])[0].encode()
        kept = request.cookies.get(_COOKIE, "")
        if not kept or not hmac.compare_digest(given, self._token_of(kept).encode()):
            return "The page was open for longer than `reverse-etl ui`. Reload it, and press the button again."
        return ""

    def _token_of(self, session: str) -> str:
        return hmac.new(self._secret, session.encode(), sha256).hexdigest()


def _session(request: Request) -> str:
    """The browser's, or a new one for the rest of this request."""
    if not (session := request.cookies.get(_COOKIE) or getattr(request.state, "session", "")):
        session = request.state.session = secrets.token_urlsafe(24)
    return session


def _host(scope: Scope) -> str:
    """The name in the Host header, without the port; empty where there is none, or several."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    try:
        return (urlsplit(f"//{hosts[0]}").hostname or "") if len(hosts) == 1 else ""
    except ValueError:
        return ""
