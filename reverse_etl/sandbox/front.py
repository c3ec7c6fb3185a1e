"""Everything that happens to a request around its answer: credentials, faults, the list of requests.

Looking (``/_sandbox`` and the pages) passes through here unlisted and without credentials, but only for this machine.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from reverse_etl.sandbox.base import TEXT, Answer, Headers, Standin
from reverse_etl.sandbox.endless import pour
from reverse_etl.sandbox.faults import Action, Faults
from reverse_etl.sandbox.looking import Looking
from reverse_etl.sandbox.requests import SeenRequest
from reverse_etl.sandbox.settings import ServerSettings, is_loopback

_MOST_BYTES_READ = 160_000_000
_HTML: Headers = [(b"content-type", b"text/html; charset=utf-8")]


class Front:
    """The ASGI application of one stand-in."""

    def __init__(self, standin: Standin, settings: ServerSettings) -> None:
        self.standin = standin
        self._settings = settings
        self._faults = Faults(standin.OWN_FAULTS)
        self.requests: list[SeenRequest] = []
        self._app = Starlette(routes=[*Looking(standin, self._faults, self.requests).routes, *standin.routes])
        self.last_request_at = time.monotonic()
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection's request."""
        self.in_flight += 1
        try:
            if self.standin.is_call(scope["path"]):
                await self._serve(scope, receive, send)
            elif self._may_look(scope):
                await self._app(scope, receive, send)
            else:
                await _send(send, Answer(403, TEXT, b"Only for this machine.\n"))
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
        seen.fault = fault.own or ", ".join(fault.model_dump(exclude_defaults=True))
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
            await _send(send, _noted(seen, Answer(fault.redirect_status, [(b"location", target.encode())], b"")))
            return
        if fault.status is not None:
            if fault.apply:
                await self._answer(scope, body, seen)
            answer = _noted(seen, self._worded(fault, fault.status, seen.path))
            if fault.endless is not None:
                await pour(fault.endless, answer.status, answer.headers, scope, receive, send)
            else:
                await _send(send, answer)
            return
        scope["sandbox.fault"] = fault
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
            await _send(send, Answer(answer.status, answer.headers, answer.body[: len(answer.body) // 2]))
        elif fault.not_json:
            page = b"<html><body><h1>Service temporarily unavailable</h1></body></html>\n"
            await _send(send, _noted(seen, Answer(200, [(b"content-type", b"text/html")], page)))
        else:
            await _send(send, answer)

    def _worded(self, fault: Action, status: int, path: str) -> Answer:
        """The answer of a fault that names its status."""
        if fault.body:
            body = fault.body.encode()
            answer = Answer(status, [*(_HTML if body.startswith(b"<") else TEXT)], body)
        else:
            answer = self.standin.worded(status, path, fault.details)
        if fault.retry_after is not None:
            answer.headers = [*answer.headers, (b"retry-after", str(fault.retry_after).encode())]
        return answer

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

    async def _answer(self, scope: Scope, body: bytes, seen: SeenRequest) -> Answer:
        """What the stand-in answers."""
        refused = self.standin.refused(scope)
        if refused is not None:
            return _noted(seen, refused)
        answer = Answer(500, [], b"")
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
        self.standin.answered()
        seen.items = scope.get("sandbox.items", 0)
        return _noted(seen, answer)

    def _may_look(self, scope: Scope) -> bool:
        """Whether a browser page of another site is kept out: by its name for us, or by its origin."""
        if self._settings.allow_remote:
            return True
        origin = header(scope, b"origin").decode("latin-1")
        host = urlsplit("//" + header(scope, b"host").decode("latin-1")).hostname
        return (not host or is_loopback(host)) and (not origin or is_loopback(urlsplit(origin).hostname or ""))


def _noted(seen: SeenRequest, answer: Answer) -> Answer:
    seen.status = answer.status
    return answer


async def _send(send: Send, answer: Answer, *, half: bool = False) -> None:
    """Sends an answer; or only the first half of its body, with the length of all of it."""
    headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = answer.body[: len(answer.body) // 2] if half else answer.body
    await send({"type": "http.response.body", "body": body, "more_body": half})


def header(scope: Scope, name: bytes) -> bytes:
    """A request's header, named in lower case; empty where it has none."""
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
