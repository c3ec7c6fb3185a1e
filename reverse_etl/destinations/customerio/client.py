"""HTTP to one workspace: addresses, credentials, time-outs. What answers mean is in ``answers``."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import httpx
import orjson

from reverse_etl.destinations._http.connection import Address, Connection
from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.customerio.answers import Api, trouble, unauthorized
from reverse_etl.errors import ConfigError, UnauthorizedError
from reverse_etl.pacing.rate_limit import Clock, RateLimit

if TYPE_CHECKING:
    from reverse_etl.config.environment import Secret
    from reverse_etl.destinations.customerio.workspace import WorkspaceConfig
    from reverse_etl.http.request_body import RequestBody

APP_REQUESTS_PER_SECOND: Final = 9
"""One below what most endpoints of the App API take. Source: App API OpenAPI, 2026."""

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
        urls: dict[Api, str] = {"Track": workspace.track_base_url(), "App": workspace.app_base_url()}
        self._addresses = {api: Address(url, f"region and {api.lower()}_url") for api, url in urls.items()}
        self._connection = Connection(
            workspace.label,
            [*self._addresses.values()],
            ca_file=workspace.ca_file,
            proxy=workspace.proxy,
            also_check="region and the addresses",
            transport=transport,
            clock=clock,
        )
        site_id, track_key = (self._credential(key, "Track") for key in (workspace.site_id, workspace.track_api_key))
        self._track_auth = httpx.BasicAuth(site_id, track_key)
        self._app_headers: dict[str, str] = {}
        if workspace.app_api_key is not None:
            self._app_headers = {"authorization": f"Bearer {self._credential(workspace.app_api_key, 'App')}"}
        self._limits = {
            "Track": RateLimit(workspace.requests_per_second, clock=clock),
            "App": RateLimit(APP_REQUESTS_PER_SECOND, at_once=APP_REQUESTS_PER_SECOND, clock=clock),
        }

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes every connection."""
        await self._connection.close()

    async def batch(self, body: bytes | RequestBody) -> Reply | TryAgain:
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
        self, api: Api, method: str, path: str, *, body: bytes | RequestBody, params: dict[str, str] | None = None
    ) -> Reply | TryAgain:
        return await self._connection.send(
            self._addresses[api],
            method,
            path,
            body=body,
            params=params,
            headers=None if api == "Track" else self._app_headers,
            auth=self._track_auth if api == "Track" else None,
        )

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
