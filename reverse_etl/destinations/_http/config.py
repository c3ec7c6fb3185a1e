"""What is asked of every service as a destination: an address, a rate, a way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from reverse_etl.config.connections import Address, DestinationConfig, PathBesideFile, insecure
from reverse_etl.errors import ConfigError, UnauthorizedError
from reverse_etl.http.proxies import PROXY_KEY, ProxyChoice

if TYPE_CHECKING:
    from reverse_etl.config.environment import Secret


class ServiceConfig(DestinationConfig):
    """One entry of ``destinations`` that is asked over HTTP. Each service has a rate and places in flight of its own.

    Attributes:
        requests_per_second: Of all runs together.
        max_requests_in_flight: Open at once.
    """

    url: Address | None = Field(default=None, description="For the sandbox or a proxy; http only to loopback.")
    requests_per_second: float = Field(
        default=10, gt=0, le=10_000, allow_inf_nan=False, description="Rate limit of all runs to it."
    )
    max_requests_in_flight: int = Field(default=4, ge=1, le=256, description="Requests open at once.")
    ca_file: PathBesideFile | None = Field(
        default=None, description="A company's authority (PEM), trusted beside the usual ones; relative to this file."
    )
    proxy: ProxyChoice | None = Field(default=None, description=PROXY_KEY)

    @property
    def usual_url(self) -> str:
        """The service's own address, without a slash at the end."""
        raise NotImplementedError

    @property
    def address_keys(self) -> str:
        """The keys that decide the address, in words."""
        return "url"

    def base_url(self) -> str:
        """Where it is asked, without a slash at the end.

        Raises:
            UnsetVariableError: ``url`` names a variable that is not set.
            ConfigError: Its value is no https address.
        """
        if self.url is None:
            return self.usual_url
        address = self.url.resolve()
        if problem := insecure(address, like=self.usual_url):
            raise ConfigError(f"{self.label}: url: the value of {self.url.template} {problem}.")
        return address.rstrip("/")

    def credential(self, secret: Secret) -> str:
        """The value of a secret. Raises UnsetVariableError, and UnauthorizedError where it cannot be a credential."""
        value = secret.resolve().strip()
        if not value.isascii() or not value.isprintable():
            raise UnauthorizedError(
                f"{self.label}: the value of {secret.template} is not a credential.",
                hint=f"Check {secret.template}: it holds a character that no credential has.",
            )
        return value
