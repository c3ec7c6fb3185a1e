"""The body of a request, let go as soon as it is sent: it is not needed while its answer is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class RequestBody(httpx.AsyncByteStream):
    """Sent once. With 42 requests of 475 kB on their way, keeping each until its answer takes 20 MB.

    Args:
        written: All of it; the caller keeps no reference.

    Attributes:
        size: Its bytes.
    """

    def __init__(self, written: bytes) -> None:
        self._parts = [written]
        self.size = len(written)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._parts:
            yield self._parts.pop()
