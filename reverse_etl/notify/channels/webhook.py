"""Any program that takes JSON over HTTP: one POST an alert, in the form of ``Alert.as_json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reverse_etl.config.environment import Secret
from reverse_etl.config.notify import ChannelConfig
from reverse_etl.errors import AlertNotSentError
from reverse_etl.notify._post import post

if TYPE_CHECKING:
    from reverse_etl.notify.alert import Alert


class Config(ChannelConfig):
    """An address that takes JSON. Most such addresses hold a key, so it is never written in the file."""

    type: Literal["webhook"] = Field(default="webhook", description="The kind of channel.")
    url: Secret = Field(description="${NAME}: the environment variable that holds the address.")
    token: Secret | None = Field(default=None, description="${NAME}. Sent as Authorization: Bearer.")


def send(config: Config, alert: Alert) -> str:
    """Posts the alert; there is nothing to warn of. Raises AlertNotSentError, UnsetVariableError."""
    headers = {}
    if config.token is not None:
        token = config.token.resolve()
        if not (token.isascii() and token.isprintable()):
            raise AlertNotSentError(f"{config.where}: the value of {config.token} cannot be sent in a header.")
        headers["authorization"] = f"Bearer {token}"
    post(config.url, alert.as_json(), where=config.where, headers=headers)
    return ""
