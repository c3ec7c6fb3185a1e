"""An Amplitude project as ``connections.yaml`` describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Literal

from pydantic import Field

from reverse_etl.config.environment import Secret
from reverse_etl.destinations._http.config import ServiceConfig

# https://amplitude.com/docs/apis/analytics/batch-event-upload, read 2026-03: one host per region.
_URLS: Final = {"us": "https://api2.amplitude.com", "eu": "https://api.eu.amplitude.com"}
# https://amplitude.com/docs/apis/analytics/behavioral-cohorts, read 2026-11: cohorts are at another.
_COHORT_URLS: Final = {"us": "https://amplitude.com", "eu": "https://analytics.eu.amplitude.com"}


class Config(ServiceConfig):
    """One entry of ``destinations``: an Amplitude project.

    Attributes:
        min_id_length: Ids that are shorter are refused by Amplitude, and rejected before they are sent.
        secret_key: For cohorts; None for a project without.
        max_items_per_request: Amplitude takes 2,000 at most, in 20 MB.
        max_ids_per_request: Members of a cohort that are added and removed at once; Amplitude takes 100,000.
    """

    ASKED: ClassVar[frozenset[str]] = frozenset({"secret_key"})
    SANDBOX: ClassVar[Mapping[str, str]] = {"url": "http://127.0.0.1:8701"}

    type: Literal["amplitude"] = Field(default="amplitude", description="An Amplitude project.")
    region: Literal["us", "eu"] = Field(default="us", description="Where the project's data lives.")
    api_key: Secret = Field(description="${NAME}: the environment variable that holds the project's API key.")
    secret_key: Secret | None = Field(
        default=None, description="${NAME}: the variable that holds the project's secret key; cohorts need it."
    )
    min_id_length: int = Field(default=5, ge=1, le=1_024, description="Shortest user_id or device_id that is taken.")
    max_items_per_request: int = Field(default=1_000, ge=1, le=2_000, description="Rows of one request.")
    max_ids_per_request: int = Field(default=10_000, ge=1, le=100_000, description="Members of one request.")
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

    def cohorts_url(self) -> str:
        """Where cohorts are asked for; with ``url``, there too. Raises as ``base_url``."""
        return _COHORT_URLS[self.region] if self.url is None else self.base_url()
