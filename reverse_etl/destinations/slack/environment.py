"""Which workspace is behind a name: by its team, once it was asked; by its address and credential before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.changeset.recipient import Recipient

if TYPE_CHECKING:
    from reverse_etl.destinations.slack.config import Config


def at_address(config: Config) -> Recipient:
    """The workspace as it is known without asking. Raises UnsetVariableError, ConfigError."""
    secret = config.bot_token.resolve().strip() if config.bot_token is not None else config.webhook()[1]
    return Recipient.at(config.base_url(), secret)
