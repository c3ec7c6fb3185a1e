"""HTTP to one service: proxies, certificates, time-outs. What answers mean, each destination knows itself."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from types import TracebackType
from typing import TYPE_CHECKING, Final

import httpx

from reverse_etl import __version__
from reverse_etl.destinations._http.causes import cause_of, lasting_cause
from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations._http.timeouts import CONNECT_TIMEOUT_S, answer_timeout_s, longest_s
from reverse_etl.destinations.base import TryAgain
from reverse_etl.errors import DestinationUnavailableError
from reverse_etl.http import certificates, proxies, redirects
from reverse_etl.http.bodies import ACCEPT_ENCODING, UnusableBodyError, read_body
from reverse_etl.http.pool import Pool
from reverse_etl.http.request_body import RequestBody
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.waits import VISIBLE_S, Waits

if TYPE_CHECKING:
    from pathlib import Path

    from reverse_etl.destinations._http.config import ServiceConfig
    from reverse_etl.http.proxies import ProxyChoice

LARGEST_ANSWER_BYTES: Final = 32_000_000
"""A page of a segment's members, which is the largest that is asked for, has up to 6 MB."""

_parsed = lru_cache(64)(httpx.URL)
"""Most requests go where the one before went, and to parse an address takes a tenth of what a request costs."""

_NOT_REACHED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is asked.

    Attributes:
        url: Without a slash at the end.
        keys: The keys of connections.yaml that decide it, in words: ``region and track_url``.
    """

    url: str
    keys: str


def connection_to(
    config: ServiceConfig, clock: Clock, *, most_bytes: int = LARGEST_ANSWER_BYTES
) -> tuple[Connection, Address]:
    """A connection to a service with one address; nothing is asked yet. Raises UnsetVariableError, ConfigError."""
    address = Address(config.base_url(), config.address_keys)
    connection = Connection(
        config.label,
        [address],
        ca_file=config.ca_file,
        proxy=config.proxy,
        also_check=config.address_keys,
        most_bytes=most_bytes,
        clock=clock,
    )
    return connection, address


class Connection:
    """Open for one run.

    Args:
        label: What messages call the service: ``workspace main``.
        addresses: Where it may be asked.
        ca_file: A company's authority, trusted beside the usual ones.
        proxy: Whether the environment's proxy is used.
        also_check: What is to be checked, beside ``ca_file`` and ``proxy``, where a certificate is not trusted.
        most_bytes: Of an answer.
        transport: Stands in for the network.
        clock: Time, for reports of waits.

    Attributes:
        was_reached: Whether any request was answered.

    Raises:
        ConfigError: A time-out is no number, or a certificate file cannot be read.
    """

    def __init__(
        self,
        label: str,
        addresses: Sequence[Address],
        *,
        ca_file: Path | None = None,
        proxy: ProxyChoice | None = None,
        also_check: str = "the address",
        most_bytes: int = LARGEST_ANSWER_BYTES,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.was_reached = False
        self._label = label
        self._addresses = addresses
        self._also_check = also_check
        self._most_bytes = most_bytes
        self._proxies = {
            address.url: proxies.proxy_for(address.url, where=label) if proxy else None for address in addresses
        }
        self._answer_timeout_s = answer_timeout_s()
        self._longest_s = longest_s(self._answer_timeout_s)
        self._waits = Waits(label, clock=clock or Clock())
        trusted = certificates.authorities(ca_file, environment=proxy is not None, where=label)
        self._http = httpx.AsyncClient(
            transport=transport or Pool(trusted),
            mounts=proxies.mounts(self._proxies.items(), trusted),
            trust_env=False,
            follow_redirects=False,
            event_hooks=redirects.HOOKS,
            headers={"user-agent": f"reverse-etl/{__version__}", "content-type": "application/json"}
            | {"accept-encoding": ACCEPT_ENCODING},
            timeout=httpx.Timeout(self._answer_timeout_s, connect=CONNECT_TIMEOUT_S, pool=None),
        )

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes every connection."""
        await self._http.aclose()

    async def send(
        self,
        address: Address,
        method: str,
        path: str,
        *,
        body: bytes | RequestBody = b"",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | None = None,
    ) -> Reply | TryAgain:
        """Sends one request, now: an answer of any status, or why there is none.

        Args:
            address: One of the addresses.
            method: GET, POST, …
            path: With a slash first.
            body: JSON, unless the headers say something else. A ``RequestBody`` is let go once it is sent.
            params: Of the query.
            headers: Credentials among them.
            auth: Credentials that are no header.

        Raises:
            DestinationUnavailableError: No server was ever reached, and waiting does not mend that.
        """
        if isinstance(body, RequestBody):
            headers = {**(headers or {}), "content-length": str(body.size)}
        url = _parsed(address.url + path)
        request = self._http.build_request(method, url, content=body, params=params, headers=headers)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._longest_s
        left_s, why = self._longest_s - VISIBLE_S, f"for an answer from {self._label}"
        slow = loop.call_later(VISIBLE_S, partial(self._waits.report, left_s, why, at_most=True))
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._http.send(request, stream=True, auth=auth)
            return await self._read(answer, deadline)
        except TimeoutError:
            return TryAgain(f"no whole answer within {self._longest_s:g} s")
        except UnusableBodyError as error:
            return TryAgain(f"an answer with {error}")
        except httpx.RequestError as error:
            return self._unanswered(error, address)
        finally:
            slow.cancel()

    async def _read(self, answer: httpx.Response, deadline: float) -> Reply:
        """The answer with its body; without one where its status alone is enough."""
        self.was_reached = True
        body = b""
        try:
            async with asyncio.timeout_at(deadline):
                body = await read_body(answer, most_bytes=self._most_bytes)
        except (TimeoutError, UnusableBodyError, httpx.RequestError):
            if answer.status_code < 300:
                raise
        finally:
            await answer.aclose()
        return Reply(answer.status_code, answer.headers, body, leads_to=redirects.host_of_target(answer))

    def _unanswered(self, error: httpx.RequestError, address: Address) -> TryAgain:
        cause = cause_of(error, answer_timeout_s=self._answer_timeout_s)
        proxy = self._proxies[address.url]
        host = httpx.URL(address.url).netloc.decode("ascii", "replace")
        status = proxies.refused_by_proxy(error)
        if status:
            cause = f"{proxy} refused to connect to {host} (HTTP {status})"
        elif proxy is not None:
            host = f"{host}, through {proxy}"
        surely = isinstance(error, _NOT_REACHED)
        if self.was_reached or not surely:
            return TryAgain(cause, not_sent=surely)
        hint = f"Check the network, and {address.keys} in connections.yaml."
        if proxy is not None:
            hint = f"Check {proxy.variable}, NO_PROXY and the network."
        elif not any(isinstance(each, ssl.SSLError) for each in certificates.chain(error)):
            hint += proxies.unused_proxy(address.url)
        if certificates.untrusted(error):
            hint = self._untrusted
        if status == 407 and proxy is not None:
            hint = f"The proxy wants a login: {proxy.variable}=http://USER:PASSWORD@{proxy.address}"
        if lasting := cause if status in (403, 407) else lasting_cause(error):
            named = "" if status else f" ({host})"
            raise DestinationUnavailableError(f"{self._label}: {lasting}{named}.", hint=hint) from None
        cause = cause if status else f"{cause} ({host})"
        return TryAgain(cause, away=True, hint=f"{hint} Nothing was sent.", not_sent=True)

    @property
    def _untrusted(self) -> str:
        what = self._label.partition(" ")[0]
        return (
            f"Where a company's own authority signs, write `ca_file: authority.pem` for this {what} in "
            "connections.yaml, or `proxy: environment`, without which SSL_CERT_FILE is not read. Otherwise check "
            f"{self._also_check}."
        )
