"""Answers that have no end, for clients that must not wait for it or keep it all."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Final, Literal

from starlette.types import Receive, Scope, Send

DROP_S: Final = 0.02
"""Seconds between two bytes of what drips."""

_FLOOD: Final = b" " * 1_000_000
_BOMB_BYTES: Final = 64_000_000


async def pour(
    kind: Literal["head", "body", "flood", "bomb"],
    status: int,
    headers: list[tuple[bytes, bytes]],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Answers until the client is gone; a bomb has an end, but is larger than it looks.

    Args:
        kind: What has no end: the ``head`` or the ``body``, a byte at a time, a ``flood``, or a ``bomb`` of gzip.
        status: Of the answer.
        headers: Its others.
        scope: Of the request; has the connection, for what ASGI has no word for.
        receive: Tells when the other side has gone.
        send: Where the answer goes.
    """
    if kind == "bomb":
        bomb = _bomb()
        packed = [*headers, (b"content-encoding", b"gzip"), (b"content-length", str(len(bomb)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": packed})
        await send({"type": "http.response.body", "body": bomb})
        return
    gone = asyncio.ensure_future(_gone(receive))
    try:
        if kind == "head":
            transport: asyncio.Transport = scope["state"]["connection"].transport
            transport.write(b"HTTP/1.1 %d Endless\r\nx-endless: " % status)
            await _until(gone, lambda: _write(transport))
            transport.abort()
        else:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            part = {"type": "http.response.body", "body": b" " if kind == "body" else _FLOOD, "more_body": True}
            await _until(gone, lambda: send(part), every_s=DROP_S if kind == "body" else 0.0)
    finally:
        gone.cancel()


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * _BOMB_BYTES, compresslevel=1)


async def _until(gone: asyncio.Future[None], drop: Callable[[], Awaitable[None]], *, every_s: float = DROP_S) -> None:
    while not gone.done():
        await drop()
        await asyncio.sleep(every_s)


async def _write(transport: asyncio.Transport) -> None:
    if not transport.is_closing():
        transport.write(b"x")


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
