"""An Amplitude project as ``connections.yaml`` describes it."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from reverse_etl.config.environment import Secret
from reverse_etl.destinations._http.config import ServiceConfig

# https://amplitude.com/docs/apis/analytics/batch-event-upload, read 2026-03: one host per region.
_URLS: Final = {"us": "https://api2.amplitude.com", "eu": "https://api.eu.amplitude.com"}


class Config(ServiceConfig):
    """One entry of ``destinations``: an Amplitude project.

    Attributes:
        min_id_length: Ids that are shorter are refused by Amplitude, and rejected before they are sent.
        max_items_per_request: Amplitude takes 2,000 at most, in 20 MB.
    """

    type: Literal["amplitude"] = Field(default="amplitude", description="An Amplitude project.")
    region: Literal["us", "eu"] = Field(default="us", description="Where the project's data lives.")
    api_key: Secret = Field(description="${NAME}: the environment variable that holds the project's API key.")
    min_id_length: int = Field(default=5, ge=1, le=1_024, description="Shortest user_id or device_id that is taken.")
    max_items_per_request: int = Field(default=1_000, ge=1, le=2_000, description="Rows of one request.")
    requests_per_second: float = Field(
        default=30, gt=0, le=10_000, allow_inf_nan=False, description="Rate limit of all runs to it."
    )

    @property
    def usual_url(self) -> str:
        """The region's."""
        return _URLS[self.region]

    @property
    def address_keys(self) -> str:
        """Region and address."""
        return "region and url"
