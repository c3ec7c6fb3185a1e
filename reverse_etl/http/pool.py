"""Connections that are kept open, the one that was used last first.

httpx's own pool asks every idle connection whether it has expired, for each request and for each answer: with the 42
that a distant workspace needs, a request costs three times the processor time. Here each connection is a pool of
its own, of one, so that a request looks at none but that which carries it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

_ONE: Final = httpx.Limits(max_connections=None, max_keepalive_connections=1)


class Pool(httpx.AsyncBaseTransport):
    """As many connections as requests are open at once; how many that are, the caller decides.

    One that has been idle for httpx's time, or that the server has closed, is opened again when its turn comes.

    Args:
        trusted: Whose certificates are.
        proxy: The way there; None: straight.
    """

    def __init__(self, trusted: ssl.SSLContext, *, proxy: httpx.Proxy | None = None) -> None:
        self._trusted, self._proxy = trusted, proxy
        self._all: list[httpx.AsyncBaseTransport] = []
        self._idle: dict[tuple[bytes, bytes, int | None], list[httpx.AsyncBaseTransport]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer; its connection is idle again when it is closed."""
        url = request.url
        idle = self._idle.setdefault((url.raw_scheme, url.raw_host, url.port), [])
        connection = idle.pop() if idle else self._opened()
        try:
            answer = await connection.handle_async_request(request)
        except BaseException:
            idle.append(connection)
            raise
        answer.stream = _Lent(cast("httpx.AsyncByteStream", answer.stream), lambda: idle.append(connection))
        return answer

    async def aclose(self) -> None:
        """Closes every connection."""
        for connection in self._all:
            await connection.aclose()

    def _opened(self) -> httpx.AsyncBaseTransport:
        connection = httpx.AsyncHTTPTransport(verify=self._trusted, trust_env=False, proxy=self._proxy, limits=_ONE)
        self._all.append(connection)
        return connection


class _Lent(httpx.AsyncByteStream):
    """The body of an answer, whose connection is given back once."""

    def __init__(self, body: httpx.AsyncByteStream, give_back: Callable[[], None]) -> None:
        self._body = body
        self._give_back: Callable[[], None] | None = give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._body:
            yield part

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            give_back, self._give_back = self._give_back, None
            if give_back is not None:
                give_back()
