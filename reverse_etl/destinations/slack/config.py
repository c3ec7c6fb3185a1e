"""A Slack workspace as ``connections.yaml`` describes it: a bot's token, or one incoming webhook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from reverse_etl.config.connections import insecure
from reverse_etl.config.environment import Secret
from reverse_etl.destinations._http.config import ServiceConfig
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.config.model import Misfit

# https://docs.slack.dev/apis/web-api, read 2026-11: every method is below this address.
_URL: Final = "https://slack.com/api"
_WEBHOOK: Final = "https://hooks.slack.com/services/T000/B000/XXXX"


class Config(ServiceConfig):
    """One entry of ``destinations``: a Slack workspace.

    Attributes:
        bot_token: Of an app of the workspace; it posts into any channel that it may.
        webhook_url: Posts into the one channel that it was made for.
        messages_per_second_per_channel: Slack promises to take one.
    """

    USUAL: ClassVar[frozenset[str]] = frozenset({"bot_token"})
    SANDBOX: ClassVar[Mapping[str, str]] = {"url": "http://127.0.0.1:8705/api"}

    type: Literal["slack"] = Field(default="slack", description="A Slack workspace.")
    bot_token: Secret | None = Field(default=None, description="${NAME}: the variable that holds the bot's token.")
    webhook_url: Secret | None = Field(
        default=None, description="${NAME}: the variable that holds an incoming webhook's address, without bot_token."
    )
    requests_per_second: float = Field(
        default=4, gt=0, le=10_000, allow_inf_nan=False, description="Rate limit of all runs to it."
    )
    messages_per_second_per_channel: float = Field(
        default=1, gt=0, le=10_000, allow_inf_nan=False, description="Messages of a run into one channel."
    )

    @property
    def usual_url(self) -> str:
        """Of the Web API."""
        return _URL

    def base_url(self) -> str:
        """Of the Web API, or the webhook's host. Raises UnsetVariableError, ConfigError."""
        return self.webhook()[0] if self.webhook_url is not None else super().base_url()

    def webhook(self) -> tuple[str, str]:
        """The webhook's host, and the secret rest of its address.

        Raises:
            UnsetVariableError: The variable is not set.
            ConfigError: Its value is no https address.
        """
        if self.webhook_url is None:
            raise ConfigError(f"{self.label}: there is no webhook_url.", hint="Add it, or a bot_token.")
        address = self.webhook_url.resolve().strip()
        if problem := insecure(address, like=_WEBHOOK):
            raise ConfigError(f"{self.label}: webhook_url: the value of {self.webhook_url.template} {problem}.")
        scheme, _, rest = address.partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme}://{host}", slash + path

    @property
    def address_keys(self) -> str:
        """What decides the address."""
        return "webhook_url" if self.webhook_url is not None else "url"

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[Misfit]:
        """One way to post."""
        if "bot_token" in given and "webhook_url" in given:
            yield "webhook_url", "goes without bot_token: keep one of them"
        if "bot_token" not in given and "webhook_url" not in given:
            yield "", "needs `bot_token: ${SLACK_BOT_TOKEN}`, or `webhook_url: ${SLACK_WEBHOOK_URL}`"
        if "webhook_url" in given and "url" in given:
            yield "url", "goes with bot_token: webhook_url is a whole address"
        yield from super().misfits(given)
