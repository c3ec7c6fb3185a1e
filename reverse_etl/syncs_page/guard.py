"""Who may read the page and who may act on it: people with the token, under the page's own names, and no other site.

Every program of this machine may reach the loopback address, and a browser may be made to: by a name that is pointed
here (DNS rebinding), by a form on another site, or within a frame.
Source: OWASP, Cross-Site Request Forgery Prevention Cheat Sheet, read 2026-11.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from reverse_etl.syncs_page.addresses import own
from reverse_etl.syncs_page.frame import SHIPPED, Frame, framed, note, paragraphs
from reverse_etl.syncs_page.markup import element
from reverse_etl.syncs_page.token import FIELD as FIELD_OF_TOKEN
from reverse_etl.syncs_page.token import cookie_of, fits

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reverse_etl.syncs_page.addresses import Opened

FIELD: Final = "form"
"""The field of a form that shows that the form is ours."""

_COOKIE: Final = "reverse_etl_syncs_page"
_MOST_FORM_BYTES: Final = 10_000
_ELSEWHERE: Final = "The Syncs page does not answer under this name: open it as {}.\n"
_TO_OPEN_IT: Final = (
    "Open the address with `?token=` that `reverse-etl ui` or `reverse-etl syncs-page` prints in the terminal.\n"
    "Where they run as a service, the token is in the file `syncs_page_token` of the home folder."
)
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
    """An ASGI application for those who have the token, under its own names, with headers that keep its pages apart.

    Args:
        app: The application.
        opened: Where people open it.
        token: The token; empty where whoever reaches the page may read it, as behind a login.
    """

    def __init__(self, app: ASGIApp, opened: Opened, token: str = "") -> None:
        self._app = app
        self._opened = opened
        self._token = token
        self._cookie, self._kept = cookie_of(token) if token else ("", "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, or refuses it."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        if not self._opened.answers(scope):
            where = self._opened.url or "http://localhost, with its port"
            await PlainTextResponse(_ELSEWHERE.format(where), 421)(scope, receive, send_guarded)
            return
        with self._opened.serving(scope) as seen:
            await (self._refusal(Request(seen)) or self._app)(seen, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        """What is answered in place of a page; None where the browser may have it."""
        if not self._token or request.url.path.rpartition("/")[2] in SHIPPED:
            return None
        if (given := request.query_params.get(FIELD_OF_TOKEN)) is not None:
            return self._let_in(request) if fits(self._token, given) else _without_token()
        kept = request.cookies.get(self._cookie, "")
        return None if hmac.compare_digest(kept.encode(), self._kept.encode()) else _without_token()

    def _let_in(self, request: Request) -> Response:
        """The cookie, and the way on to the address without the token.

        It is no redirect: where a link on another site led here, a browser keeps a strict cookie to itself on those.
        """
        rest = urlencode([each for each in request.query_params.multi_items() if each[0] != FIELD_OF_TOKEN])
        address = f"{request.url.path}{'?' if rest else ''}{rest}"
        answer = framed(
            Frame("The Syncs page", leads_to=address), element("p", element("a", "Open the Syncs page", href=address))
        )
        below = self._opened.below or "/"
        secure = self._opened.encrypted
        answer.set_cookie(self._cookie, self._kept, path=below, secure=secure, httponly=True, samesite="strict")
        return answer


def _without_token() -> Response:
    said = note("problem", paragraphs(_TO_OPEN_IT))
    again = element("p", "If this browser has opened it before, ", element("a", "open it again", href=own("/")), ".")
    return framed(Frame("The Syncs page needs its token", status=403), said, again)


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
            below = own("") or "/"
            response.set_cookie(_COOKIE, _session(request), path=below, httponly=True, samesite="strict")
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
