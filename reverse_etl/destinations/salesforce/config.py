"""A Salesforce org as ``connections.yaml`` describes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from reverse_etl.config.connections import Address, PathBesideFile
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.model import Misfit
from reverse_etl.config.percent import Percent
from reverse_etl.destinations._http.config import ServiceConfig


class Config(ServiceConfig):
    """One entry of ``destinations``: a Salesforce org, and the app that signs in there.

    Attributes:
        url: The org's My Domain: ``login.salesforce.com`` takes no app's sign-in.
        client_secret: With client credentials, and beside ``refresh_token``.
        private_key: PEM, or ``private_key_file``: signs in as ``user`` by a signed assertion (JWT bearer).
        audience: For whom an assertion is.
        daily_calls_left: Of the org's calls of a day, in percent, what a run leaves to others.
    """

    USUAL: ClassVar[frozenset[str]] = frozenset({"client_secret"})
    SANDBOX: ClassVar[Mapping[str, str]] = {"url": "http://127.0.0.1:8712"}

    type: Literal["salesforce"] = Field(default="salesforce", description="A Salesforce org.")
    url: Address = Field(description="The org's My Domain, such as https://acme.my.salesforce.com.")
    client_id: Secret = Field(description="${NAME}: the consumer key of the app that signs in.")
    client_secret: Secret | None = Field(default=None, description="${NAME}: the app's consumer secret.")
    refresh_token: Secret | None = Field(default=None, description="${NAME}: signs in as the user who granted it.")
    private_key: Secret | None = Field(default=None, description="${NAME}: PEM; signs in as user.")
    private_key_file: PathBesideFile | None = Field(default=None, description="The same in a file.")
    user: EnvText | None = Field(default=None, description="With a private key: the user's name.")
    audience: str = Field(
        default="https://login.salesforce.com",
        description="With a private key; https://test.salesforce.com for a sandbox.",
    )
    api_version: str = Field(default="66.0", pattern=r"^\d{2}\.0$", description="Of the REST API, 46.0 or later.")
    daily_calls_left: Percent = Field(
        default=20.0, description="The percentage of the org's daily calls that runs leave to others."
    )
    max_records_per_request: int = Field(
        default=200, ge=1, le=200, description="Records of one request; fewer where triggers are heavy."
    )
    requests_per_second: float = Field(
        default=25, gt=0, le=10_000, allow_inf_nan=False, description="Rate limit of all runs to it."
    )

    @property
    def usual_url(self) -> str:
        """There is none; this is an example."""
        return "https://acme.my.salesforce.com"

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """Exactly one way to sign in."""
        signed = [key for key in ("private_key", "private_key_file") if given.get(key)]
        if len(signed) == 2:
            yield "private_key_file", "goes without private_key: one of them"
        if signed and not given.get("user"):
            yield "", "needs `user` beside the private key: whom the app signs in as"
        if signed and (given.get("client_secret") or given.get("refresh_token")):
            yield signed[0], "goes without client_secret and refresh_token"
        if not signed and not given.get("client_secret"):
            yield "", "needs a way to sign in: client_secret, or private_key and user"
        yield from super().misfits(given)
