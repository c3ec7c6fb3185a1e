"""Everything that happens to a request around its answer: credentials, faults, the list of requests.

Looking (``/_sandbox`` and the page) passes through here unlisted and without credentials, but only for this machine.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reverse_etl.sandbox.endless import pour
from reverse_etl.sandbox.faults import Action, Faults
from reverse_etl.sandbox.settings import SandboxSettings, is_loopback

_MOST_BYTES_READ = 64_000_000
_Headers = list[tuple[bytes, bytes]]
_JSON: _Headers = [(b"content-type", b"application/json; charset=utf-8"), (b"cache-control", b"no-store")]
_TEXT: _Headers = [(b"content-type", b"text/plain; charset=utf-8")]


@dataclass(slots=True)
class SeenRequest:
    """One request to Track or App API.

    Attributes:
        number: From 1, in order.
        at: Unix seconds of arrival.
        status: As answered; null where no answer was sent.
        items: Operations or identifiers in its body.
        body: As sent; null unless bodies are kept.
        fault: The fault it met, if any.
    """

    number: int
    method: str
    path: str
    query: str
    at: float
    status: int | None = None
    size_bytes: int = 0
    items: int = 0
    duration_s: float = 0.0
    fault: str = ""
    body: bytes | None = None


@dataclass(slots=True)
class _Answer:
    status: int
    headers: _Headers
    body: bytes


class Front:
    """The ASGI application around Track and App API."""

    def __init__(
        self,
        app: ASGIApp,
        settings: SandboxSettings,
        faults: Faults,
        *,
        when_answered: Callable[[], None] | None = None,
    ) -> None:
        self._app = app
        self._when_answered = when_answered
        self._settings = settings
        self._faults = faults
        self._track = b"Basic " + base64.b64encode(f"{settings.site_id}:{settings.track_api_key}".encode())
        self._app_key = b"Bearer " + settings.app_api_key.encode()
        self.requests: list[SeenRequest] = []
        self.last_request_at = time.monotonic()
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection's request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self.in_flight += 1
        try:
            if scope["path"].startswith(("/api/", "/v1/")):
                await self._serve(scope, receive, send)
            elif self._may_look(scope):
                await self._app(scope, receive, send)
            else:
                await _send(send, _Answer(403, _TEXT, b"Only for this machine.\n"))
        finally:
            self.in_flight -= 1
            self.last_request_at = time.monotonic()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode("latin-1")
        seen = SeenRequest(len(self.requests) + 1, scope["method"], scope["path"], query, time.time())
        self.requests.append(seen)
        started = time.perf_counter()
        fault = self._faults.take(seen.method, seen.path)
        try:
            if fault is None:
                await _send(send, await self._answer(scope, await self._read(receive, seen), seen))
            else:
                await self._spoil(fault, scope, receive, send, seen)
        except ClientDisconnect:
            seen.status = None
        finally:
            seen.duration_s = time.perf_counter() - started

    async def _spoil(self, fault: Action, scope: Scope, receive: Receive, send: Send, seen: SeenRequest) -> None:
        """Deals with a request the way a fault wants it."""
        seen.fault = ", ".join(fault.model_dump(exclude_defaults=True))
        if fault.crash == "before":
            _crash()
        if fault.drop == "during_request":
            await receive()
        if fault.drop in ("before", "during_request"):
            await _hang_up(scope, receive)
            return
        body = await self._read(receive, seen)
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        if fault.drop == "before_apply" or self._is_forgotten(seen):
            await _hang_up(scope, receive)
            return
        if fault.redirect is not None:
            target = fault.redirect.rstrip("/") + scope["path"]
            await _send(send, _noted(seen, _Answer(fault.redirect_status, [(b"location", target.encode())], b"")))
            return
        if fault.status is not None:
            if fault.apply:
                await self._answer(scope, body, seen)
            headers = [*_TEXT]
            if fault.retry_after is not None:
                headers.append((b"retry-after", str(fault.retry_after).encode()))
            answer = _noted(seen, _Answer(fault.status, headers, fault.body.encode()))
            if fault.endless is not None:
                await pour(fault.endless, answer.status, headers, scope, receive, send)
            else:
                await _send(send, answer)
            return
        scope["sandbox.refuse"] = fault.refuse_items
        scope["sandbox.most_items"] = fault.most_items
        answer = await self._answer(scope, body, seen)
        if fault.crash is not None:
            _crash()
        if fault.endless is not None:
            await pour(fault.endless, answer.status, answer.headers, scope, receive, send)
        elif fault.drop == "after_apply":
            seen.status = None
            await _hang_up(scope, receive)
        elif fault.drop == "during_answer":
            await _send(send, answer, half=True)
            await _hang_up(scope, receive, after_what_is_sent=True)
        elif fault.truncate_body:
            await _send(send, _Answer(answer.status, answer.headers, answer.body[: len(answer.body) // 2]))
        elif fault.not_json:
            page = b"<html><body><h1>Service temporarily unavailable</h1></body></html>\n"
            await _send(send, _noted(seen, _Answer(200, [(b"content-type", b"text/html")], page)))
        else:
            await _send(send, answer)

    def _is_forgotten(self, seen: SeenRequest) -> bool:
        """Whether the sandbox was reset since the request came: it must not write into the empty workspace."""
        return len(self.requests) < seen.number or self.requests[seen.number - 1] is not seen

    async def _read(self, receive: Receive, seen: SeenRequest) -> bytes:
        """The body; beyond the largest allowed, the rest is read and dropped.

        Raises:
            ClientDisconnect: The connection ended before the body did.
        """
        parts = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part = message.get("body", b"")
            seen.size_bytes += len(part)
            if part and seen.size_bytes <= _MOST_BYTES_READ:
                parts.append(part)
            if not message.get("more_body", False):
                break
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if self._settings.keep_bodies:
            seen.body = body
        return body

    async def _answer(self, scope: Scope, body: bytes, seen: SeenRequest) -> _Answer:
        """What Track or App API answers."""
        if not self._is_authorized(scope):
            return _noted(seen, _unauthorized(scope["path"]))
        answer = _Answer(500, [], b"")
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [pair for pair in message["headers"] if pair[0] != b"content-length"]
            else:
                answer.body += message.get("body", b"")

        await self._app(scope, replay, collect)
        if self._when_answered is not None:
            self._when_answered()
        seen.items = scope.get("sandbox.items", 0)
        return _noted(seen, answer)

    def _is_authorized(self, scope: Scope) -> bool:
        expected = self._track if scope["path"].startswith("/api/") else self._app_key
        return hmac.compare_digest(_header(scope, b"authorization"), expected)

    def _may_look(self, scope: Scope) -> bool:
        """Whether a browser page of another site is kept out: by its name for us, or by its origin."""
        if self._settings.allow_remote:
            return True
        origin = _header(scope, b"origin").decode("latin-1")
        host = urlsplit("//" + _header(scope, b"host").decode("latin-1")).hostname
        return (not host or is_loopback(host)) and (not origin or is_loopback(urlsplit(origin).hostname or ""))


def _unauthorized(path: str) -> _Answer:
    if path.startswith("/api/"):
        return _Answer(401, _TEXT, b"Unauthorized\n")
    return _Answer(401, _JSON, b'{"errors":[{"detail":"unauthorized","status":"401"}]}\n')


def _noted(seen: SeenRequest, answer: _Answer) -> _Answer:
    seen.status = answer.status
    return answer


async def _send(send: Send, answer: _Answer, *, half: bool = False) -> None:
    """Sends an answer; or only the first half of its body, with the length of all of it."""
    headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = answer.body[: len(answer.body) // 2] if half else answer.body
    await send({"type": "http.response.body", "body": body, "more_body": half})


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def _hang_up(scope: Scope, receive: Receive, *, after_what_is_sent: bool = False) -> None:
    """Closes the connection, which ``server`` puts into the scope: ASGI has no word for hanging up."""
    transport: asyncio.Transport = scope["state"]["connection"].transport
    if after_what_is_sent:
        transport.close()
    else:
        transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
