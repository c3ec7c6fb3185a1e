"""Any program that takes JSON over HTTP: one POST an alert, in the form of ``Alert.as_json``."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from reverse_etl.config.environment import Secret
from reverse_etl.errors import AlertNotSentError
from reverse_etl.notify._post import HttpChannelConfig, post

if TYPE_CHECKING:
    from reverse_etl.notify.alert import Alert

TIME_HEADER: Final = "x-reverse-etl-timestamp"
SIGNATURE_HEADER: Final = "x-reverse-etl-signature"


class Config(HttpChannelConfig):
    """An address that takes JSON. Most such addresses hold a key, so it is never written in the file."""

    type: Literal["webhook"] = Field(default="webhook", description="The kind of channel.")
    url: Secret = Field(description="${NAME}: the environment variable that holds the address.")
    token: Secret | None = Field(default=None, description="${NAME}. Sent as Authorization: Bearer.")
    secret: Secret | None = Field(
        default=None, description="${NAME}. Signs time and body of each request, so that the receiver can check both."
    )


def send(config: Config, alert: Alert) -> str:
    """Posts the alert; there is nothing to warn of. Raises AlertNotSentError, UnsetVariableError."""
    headers = {}
    if config.token is not None:
        token = config.token.resolve()
        if not (token.isascii() and token.isprintable()):
            raise AlertNotSentError(f"{config.where}: the value of {config.token} cannot be sent in a header.")
        headers["authorization"] = f"Bearer {token}"
    body = json.dumps(alert.as_json()).encode()
    if config.secret is not None:
        headers |= signed(body, config.secret.resolve(), at=int(time.time()))
    post(config, body, headers=headers)
    return ""


def signed(body: bytes, secret: str, *, at: int) -> dict[str, str]:
    """The headers that prove where a request comes from, and when it was made.

    Args:
        body: The request's body, byte for byte.
        secret: What both sides know.
        at: Unix seconds.
    """
    digest = hmac.new(os.fsencode(secret), b"%d.%b" % (at, body), hashlib.sha256).hexdigest()
    return {TIME_HEADER: str(at), SIGNATURE_HEADER: f"v1={digest}"}
