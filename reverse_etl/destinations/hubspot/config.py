"""A HubSpot account as ``connections.yaml`` describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Literal

from pydantic import Field

from reverse_etl.config.environment import Secret
from reverse_etl.destinations._http.config import ServiceConfig

_URL: Final = "https://api.hubapi.com"


class Config(ServiceConfig):
    """One entry of ``destinations``: a HubSpot account, asked as one of its private apps.

    Attributes:
        max_items_per_request: HubSpot takes 100 at most. Source: CRM objects, 2026-09.
        requests_per_second: A private app has 100 calls in ten seconds (Free, Starter), or 190 (Professional,
            Enterprise). Source: developers.hubspot.com, API usage guidelines, 2026.
    """

    SANDBOX: ClassVar[Mapping[str, str]] = {"url": "http://127.0.0.1:8711"}

    type: Literal["hubspot"] = Field(default="hubspot", description="A HubSpot account.")
    access_token: Secret = Field(description="${NAME}: the environment variable with the private app's access token.")
    max_items_per_request: int = Field(default=100, ge=1, le=100, description="Rows of one request.")
    requests_per_second: float = Field(
        default=9, gt=0, le=10_000, allow_inf_nan=False, description="Rate limit of all runs to it, in calls."
    )

    @property
    def usual_url(self) -> str:
        """HubSpot's."""
        return _URL
