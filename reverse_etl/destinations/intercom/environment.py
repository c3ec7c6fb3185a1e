"""Which workspace is behind a name: by its id, or else by its address and token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.changeset.recipient import Recipient

if TYPE_CHECKING:
    from reverse_etl.destinations.intercom.config import Config


def at_address(config: Config) -> Recipient:
    """The workspace as it is known without asking. Raises UnsetVariableError, ConfigError."""
    return Recipient.at(config.base_url(), config.access_token.resolve().strip())
