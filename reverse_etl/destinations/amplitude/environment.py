"""Which project is behind a name: by its address and its API key. Amplitude does not say more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.changeset.recipient import Recipient

if TYPE_CHECKING:
    from reverse_etl.destinations.amplitude.config import Config


def at_address(config: Config) -> Recipient:
    """The project as it is known without asking. Raises UnsetVariableError, ConfigError."""
    return Recipient.at(config.base_url(), config.api_key.resolve().strip())
