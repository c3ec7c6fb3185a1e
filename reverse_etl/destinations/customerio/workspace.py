"""A Customer.io workspace as ``connections.yaml`` describes it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field

from reverse_etl.config.connections import DestinationConfig, PathBesideFile, checked_address, insecure
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.errors import ConfigError
from reverse_etl.http.proxies import PROXY_KEY, ProxyChoice

# https://docs.customer.io/integrations/api/track/ and /integrations/api/app/, read 2025-11: one host per region.
_TRACK_URLS: Final = {"us": "https://track.customer.io", "eu": "https://track-eu.customer.io"}
_APP_URLS: Final = {"us": "https://api.customer.io", "eu": "https://api-eu.customer.io"}

_Address = Annotated[EnvText, AfterValidator(partial(checked_address, like=_TRACK_URLS["us"]))]

_AT_FIRST: Final = 8


class WorkspaceConfig(DestinationConfig):
    """One entry of ``workspaces``: a Customer.io workspace.

    Attributes:
        app_api_key: Needed for segments by name, ``add_only``, object types and reading back.
        identify_by: What all syncs to the workspace name people by; None where each says so itself.
        read_back: Whether a run reads, after its last row, which rows were accepted and not applied.
    """

    SECTION: ClassVar[str] = "workspaces"
    USUAL: ClassVar[frozenset[str]] = frozenset({"region", "app_api_key"})
    VARIABLES: ClassVar[str] = "customerio"
    SANDBOX: ClassVar[Mapping[str, str]] = {"track_url": "http://127.0.0.1:8700", "app_url": "http://127.0.0.1:8700"}

    type: Literal["customerio"] = Field(default="customerio", description="A Customer.io workspace.")
    region: Literal["us", "eu"] = Field(default="us", description="Where the workspace's data lives.")
    site_id: Secret = Field(description="${NAME}: the environment variable that holds it.")
    track_api_key: Secret = Field(description="${NAME}: the environment variable that holds it.")
    app_api_key: Secret | None = Field(
        default=None, description="${NAME}. Needed for segments by name and add_only; lets object types be checked."
    )
    identify_by: Literal["id", "email"] | None = Field(
        default=None, description="The identifier of people in all syncs; a sync with another one gives its reason."
    )
    read_back: bool = Field(
        default=True, description="With an App API key, look at what became of rows after they were accepted."
    )
    requests_per_second: float = Field(
        default=100, gt=0, le=10_000, allow_inf_nan=False, description="Rate limit of all runs in the workspace."
    )
    max_requests_in_flight: int = Field(
        default=64, ge=1, le=256, description="Requests open at once, at most: 8 at first, more while that is faster."
    )
    max_items_per_request: int = Field(
        default=5000, ge=1, le=100_000, description="The most rows of one request, beside its limit of 475,000 bytes."
    )
    track_url: _Address | None = Field(default=None, description="For the sandbox or a proxy; http only to loopback.")
    app_url: _Address | None = Field(default=None, description="For the sandbox or a proxy; http only to loopback.")
    ca_file: PathBesideFile | None = Field(
        default=None, description="A company's authority (PEM), trusted beside the usual ones; relative to this file."
    )

    proxy: ProxyChoice | None = Field(default=None, description=PROXY_KEY)

    @property
    def label(self) -> str:
        """For messages: ``workspace main``."""
        return f"workspace {self.name}"

    @property
    def in_flight_at_first(self) -> int:
        """Requests open at once with which a delivery begins."""
        return min(_AT_FIRST, self.max_requests_in_flight)

    def track_base_url(self) -> str:
        """Address of the Track API, without a slash at the end.

        Raises:
            UnsetVariableError: ``track_url`` names a variable that is not set.
            ConfigError: Its value is no https address.
        """
        return self._base_url("track_url", self.track_url, _TRACK_URLS[self.region])

    def app_base_url(self) -> str:
        """Address of the App API, without a slash at the end; raises like ``track_base_url``."""
        return self._base_url("app_url", self.app_url, _APP_URLS[self.region])

    def _base_url(self, key: str, url: EnvText | None, regional: str) -> str:
        if url is None:
            return regional
        address = url.resolve()
        if problem := insecure(address, like=_TRACK_URLS["us"]):
            raise ConfigError(f"workspace {self.name}: {key}: the value of {url.template} {problem}.")
        return address.rstrip("/")
