"""A channel of Slack, through an incoming webhook: one message an alert.

Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and /formatting-message-text, 2025.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from reverse_etl.config.environment import Secret
from reverse_etl.notify._post import HttpChannelConfig, post

if TYPE_CHECKING:
    from reverse_etl.notify.alert import Alert

_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Config(HttpChannelConfig):
    """A Slack channel. Whoever knows a webhook's address can post there, so it is a secret."""

    type: Literal["slack"] = Field(default="slack", description="The kind of channel.")
    url: Secret = Field(description="${NAME}: the environment variable that holds the incoming webhook's address.")


def send(config: Config, alert: Alert) -> str:
    """Posts the alert; there is nothing to warn of. Raises AlertNotSentError, UnsetVariableError."""
    lines = [f"*{alert.headline.translate(_ESCAPED)}*", *(line.translate(_ESCAPED) for line in alert.lines())]
    post(config, json.dumps({"text": "\n".join(lines)}).encode())
    return ""
