"""Which account is behind a name: by its address and token, and by the number that it calls itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.changeset.recipient import Recipient

if TYPE_CHECKING:
    from reverse_etl.destinations.hubspot.config import Config


def at_address(config: Config) -> Recipient:
    """The account as it is known without asking. Raises UnsetVariableError, ConfigError."""
    return Recipient.at(config.base_url(), config.access_token.resolve().strip())
