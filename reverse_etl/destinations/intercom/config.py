"""An Intercom workspace as ``connections.yaml`` describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Literal

from pydantic import Field

from reverse_etl.config.environment import Secret
from reverse_etl.destinations._http.config import ServiceConfig

# https://developers.intercom.com, REST API 2.15, read 2026-08: one host per region.
_URLS: Final = {
    "us": "https://api.intercom.io",
    "eu": "https://api.eu.intercom.io",
    "au": "https://api.au.intercom.io",
}


class Config(ServiceConfig):
    """One entry of ``destinations``: an Intercom workspace.

    Attributes:
        requests_per_second: An app has 10,000 calls a minute, 166 a second. Source: its page on rate limits, 2026-08.
        max_requests_in_flight: Enough for the rate where a call takes 0.3 s.
    """

    SANDBOX: ClassVar[Mapping[str, str]] = {"url": "http://127.0.0.1:8703"}

    type: Literal["intercom"] = Field(default="intercom", description="An Intercom workspace.")
    region: Literal["us", "eu", "au"] = Field(default="us", description="Where the workspace's data lives.")
    access_token: Secret = Field(description="${NAME}: the environment variable that holds the app's access token.")
    requests_per_second: float = Field(
        default=100, gt=0, le=10_000, allow_inf_nan=False, description="Rate limit of all runs to it, in calls."
    )
    max_requests_in_flight: int = Field(default=32, ge=1, le=256, description="Rows sent at once.")

    @property
    def usual_url(self) -> str:
        """The region's."""
        return _URLS[self.region]

    @property
    def address_keys(self) -> str:
        """Region and address."""
        return "region and url"
