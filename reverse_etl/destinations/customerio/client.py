"""HTTP to one workspace: addresses, credentials, time-outs. What answers mean is in ``answers``."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson

from reverse_etl import __version__
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.customerio.answers import Api, Reply, trouble, unauthorized
from reverse_etl.errors import ConfigError, DestinationUnavailableError, UnauthorizedError
from reverse_etl.http import certificates, proxies, redirects
from reverse_etl.http.bodies import ACCEPT_ENCODING, UnusableBodyError, read_body
from reverse_etl.pacing.rate_limit import Clock, RateLimit
from reverse_etl.pacing.waits import VISIBLE_S, Waits

if TYPE_CHECKING:
    from reverse_etl.config.environment import Secret
    from reverse_etl.destinations.customerio.workspace import WorkspaceConfig

CONNECT_TIMEOUT_S: Final = 10.0
READ_TIMEOUT_S: Final = 30.0
LARGEST_ANSWER_BYTES: Final = 32_000_000
"""A page of a segment's members, which is the largest that is asked for, has up to 6 MB."""

READ_TIMEOUT_VARIABLE: Final = "REVERSE_ETL_ANSWER_TIMEOUT_S"
"""Seconds that an answer may take, for networks where ``READ_TIMEOUT_S`` does not fit."""

APP_REQUESTS_PER_SECOND: Final = 9.0
"""One below what most endpoints of the App API take. Source: App API OpenAPI, 2026."""

_NOT_REACHED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)

_UNTRUSTED: Final = (
    "Where a company's own authority signs, write `ca_file: authority.pem` for this workspace in connections.yaml, or "
    "`proxy: environment`, without which SSL_CERT_FILE is not read. Otherwise check region and the addresses."
)

_SETTLED: Final = frozenset({200, 201, 204, 400, 404, 422})


class Client:
    """Open for one run. Credentials are resolved here, go into headers and nowhere else.

    Args:
        workspace: The workspace.
        transport: Stands in for the network.
        clock: Time, for pacing.

    Raises:
        UnsetVariableError: A credential or address names a variable that is not set.
        ConfigError: An address is no https address, or a time-out is no number.
        UnauthorizedError: A credential cannot be one.
    """

    def __init__(
        self,
        workspace: WorkspaceConfig,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.workspace = workspace.name
        self.has_app_key = workspace.app_api_key is not None
        self._track_url = workspace.track_base_url()
        self._app_url = workspace.app_base_url()
        self._proxies = {url: self._proxy_for(url, workspace) for url in (self._track_url, self._app_url)}
        site_id, track_key = (self._credential(key, "Track") for key in (workspace.site_id, workspace.track_api_key))
        self._track_auth = httpx.BasicAuth(site_id, track_key)
        self._app_headers: dict[str, str] = {}
        if workspace.app_api_key is not None:
            self._app_headers = {"authorization": f"Bearer {self._credential(workspace.app_api_key, 'App')}"}
        self._limits = {
            "Track": RateLimit(workspace.requests_per_second, clock=clock),
            "App": RateLimit(APP_REQUESTS_PER_SECOND, clock=clock),
        }
        self._was_reached = False
        self._answer_timeout_s = answer_timeout_s()
        self._longest_s = longest_s(self._answer_timeout_s)
        self._waits = Waits(f"workspace {workspace.name}", clock=clock or Clock())
        trusted = certificates.authorities(
            workspace.ca_file, environment=workspace.proxy is not None, where=f"workspace {workspace.name}"
        )
        self._http = httpx.AsyncClient(
            transport=transport,
            mounts=proxies.mounts(self._proxies.items(), trusted),
            verify=trusted,
            trust_env=False,
            follow_redirects=False,
            event_hooks=redirects.HOOKS,
            headers={"user-agent": f"reverse-etl/{__version__}", "content-type": "application/json"}
            | {"accept-encoding": ACCEPT_ENCODING},
            timeout=httpx.Timeout(self._answer_timeout_s, connect=CONNECT_TIMEOUT_S, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=workspace.max_requests_in_flight),
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes every connection."""
        await self._http.aclose()

    async def batch(self, body: bytes) -> Reply | TryAgain:
        """Posts one ``/api/v2/batch`` request, now: ``delivery`` paces and retries."""
        return await self._send("Track", "POST", "/api/v2/batch", body=body)

    async def ask(
        self, api: Api, method: str, path: str, *, body: Any = None, params: dict[str, str] | None = None
    ) -> Reply | TryAgain:
        """Sends any other request once, when its API's rate limit allows: success, 400, 404 or trouble.

        Raises:
            ConfigError: It is one for the App API and there is no App API key.
            UnauthorizedError: The credentials are refused.
            DestinationRefusedError: The address is not that of the API.
        """
        if api == "App" and not self.has_app_key:
            raise ConfigError(
                f"workspace {self.workspace} has no app_api_key.", hint="Add it to the workspace in connections.yaml."
            )
        await self._limits[api].turn()
        content = b"" if body is None else orjson.dumps(body)
        reply = await self._send(api, method, path, body=content, params=params)
        if isinstance(reply, TryAgain) or reply.status in _SETTLED:
            return reply
        unsettled = trouble(reply, api=api, workspace=self.workspace)
        self._limits[api].pause(unsettled.after_s or 0.0)
        return unsettled

    async def _send(
        self, api: Api, method: str, path: str, *, body: bytes, params: dict[str, str] | None = None
    ) -> Reply | TryAgain:
        url = (self._track_url if api == "Track" else self._app_url) + path
        request = self._http.build_request(
            method, url, content=body, params=params, headers=None if api == "Track" else self._app_headers
        )
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._longest_s
        left_s, why = self._longest_s - VISIBLE_S, f"for an answer from workspace {self.workspace}"
        slow = loop.call_later(VISIBLE_S, partial(self._waits.report, left_s, why, at_most=True))
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._http.send(request, stream=True, auth=self._track_auth if api == "Track" else None)
            return await self._read(answer, deadline)
        except TimeoutError:
            return TryAgain(f"no whole answer within {self._longest_s:g} s")
        except UnusableBodyError as error:
            return TryAgain(f"an answer with {error}")
        except httpx.RequestError as error:
            return self._unanswered(error, api, url)
        finally:
            slow.cancel()

    async def _read(self, answer: httpx.Response, deadline: float) -> Reply:
        """The answer with its body; without one where its status alone is enough."""
        self._was_reached = True
        body = b""
        try:
            async with asyncio.timeout_at(deadline):
                body = await read_body(answer, most_bytes=LARGEST_ANSWER_BYTES)
        except (TimeoutError, UnusableBodyError, httpx.RequestError):
            if answer.status_code < 300:
                raise
        finally:
            await answer.aclose()
        return Reply(answer.status_code, answer.headers, body, leads_to=redirects.host_of_target(answer))

    def _unanswered(self, error: httpx.RequestError, api: Api, url: str) -> TryAgain:
        """Raises DestinationUnavailableError where no server was ever reached, and waiting does not mend it."""
        cause = cause_of(error, answer_timeout_s=self._answer_timeout_s)
        proxy = self._proxies[self._track_url if api == "Track" else self._app_url]
        host = httpx.URL(url).netloc.decode("ascii", "replace")
        status = proxies.refused_by_proxy(error)
        if status:
            cause = f"{proxy} refused to connect to {host} (HTTP {status})"
        elif proxy is not None:
            host = f"{host}, through {proxy}"
        if self._was_reached or not isinstance(error, _NOT_REACHED):
            return TryAgain(cause)
        hint = f"Check the network, and region and {api.lower()}_url in connections.yaml."
        if proxy is not None:
            hint = f"Check {proxy.variable}, NO_PROXY and the network."
        elif not any(isinstance(each, ssl.SSLError) for each in certificates.chain(error)):
            hint += proxies.unused_proxy(url)
        if certificates.untrusted(error):
            hint = _UNTRUSTED
        if status == 407 and proxy is not None:
            hint = f"The proxy wants a login: {proxy.variable}=http://USER:PASSWORD@{proxy.address}"
        if lasting := cause if status in (403, 407) else _lasting_cause(error):
            named = "" if status else f" ({host})"
            raise DestinationUnavailableError(f"workspace {self.workspace}: {lasting}{named}.", hint=hint) from None
        return TryAgain(cause if status else f"{cause} ({host})", away=True, hint=f"{hint} Nothing was sent.")

    @staticmethod
    def _proxy_for(url: str, workspace: WorkspaceConfig) -> proxies.Proxy | None:
        return proxies.proxy_for(url, where=f"workspace {workspace.name}") if workspace.proxy else None

    def _credential(self, secret: Secret, api: Api) -> str:
        value = secret.resolve().strip()
        if not value.isascii() or not value.isprintable():
            raise self._not_a_key(secret, api)
        return value

    def _not_a_key(self, secret: Secret, api: Api) -> UnauthorizedError:
        error = unauthorized(401, api=api, workspace=self.workspace)
        return UnauthorizedError(
            f"workspace {self.workspace}: the value of {secret.template} is not a key.", hint=error.hint
        )


def answer_timeout_s() -> float:
    """How long an answer may take: ``REVERSE_ETL_ANSWER_TIMEOUT_S`` where it is set.

    Raises:
        ConfigError: The variable is not a number of seconds above 0.
    """
    text = os.environ.get(READ_TIMEOUT_VARIABLE, "")
    try:
        seconds = float(text or READ_TIMEOUT_S)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(
            f"{READ_TIMEOUT_VARIABLE} is not a number of seconds above 0.", hint=f"Example: {READ_TIMEOUT_VARIABLE}=30"
        )
    return seconds


def longest_s(answer_timeout_s: float) -> float:
    """How long a request may take in all, from connecting to the last byte of its answer: nothing drips for ever."""
    return min(CONNECT_TIMEOUT_S, answer_timeout_s) + 2 * answer_timeout_s


def cause_of(error: httpx.RequestError, *, answer_timeout_s: float = READ_TIMEOUT_S) -> str:
    """Why there is no answer, in words, without addresses or content."""
    if lasting := _lasting_cause(error):
        return lasting
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {CONNECT_TIMEOUT_S:.0f} s"
    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {answer_timeout_s:g} s"
    if isinstance(error, httpx.ConnectError):
        return next(filter(None, map(_passing_cause, certificates.chain(error))), "cannot connect")
    return "the connection broke before the answer was complete"


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


def _lasting_cause(error: BaseException) -> str:
    """A cause that waiting does not mend: an unknown host or a certificate that is not trusted; else empty."""
    if found := certificates.untrusted(error):
        return f"its TLS certificate is not trusted ({found.verify_message})"
    names = (each for each in certificates.chain(error) if isinstance(each, socket.gaierror))
    return "its host name is unknown" if any(each.errno == socket.EAI_NONAME for each in names) else ""
