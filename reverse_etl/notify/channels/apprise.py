"""A channel of any service that Apprise knows: Teams, PagerDuty, Opsgenie, Discord, Telegram and a hundred others.

Source: https://github.com/caronc/apprise/wiki, read 2026-11: an address such as ``pagerduty://KEY@TOKEN`` names the
service and holds its credentials.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from reverse_etl.config.environment import Secret
from reverse_etl.config.notify import ChannelConfig
from reverse_etl.errors import AlertNotSentError, ConfigError, MissingDriverError
from reverse_etl.notify.alert import Kind

if TYPE_CHECKING:
    from reverse_etl.notify.alert import Alert

_TYPES: Final = {Kind.RECOVERY: "success", Kind.TEST: "info", Kind.FAILURE: "failure"}
"""Apprise's own word for a kind of alert, which colours it; any other one is a ``warning``."""


class Config(ChannelConfig):
    """A channel of a service that Apprise knows. Its address has the credentials in it, so it is a secret."""

    type: Literal["apprise"] = Field(default="apprise", description="The kind of channel.")
    url: Secret = Field(description="${NAME}: the environment variable that holds Apprise's address of the service.")


def send(config: Config, alert: Alert) -> str:
    """Sends the alert; there is nothing to warn of. Raises AlertNotSentError, UnsetVariableError, ConfigError."""
    try:
        import apprise
    except ModuleNotFoundError:
        raise MissingDriverError(
            f"{config.where} needs the package apprise.", hint="Install it: pip install 'reverse-etl[apprise]'"
        ) from None
    with _silent():
        services: Any = apprise.Apprise()
        is_known = services.add(config.url.resolve())
    if not is_known:
        raise ConfigError(
            f"{config.where}: Apprise does not know a service by this address.",
            hint="See github.com/caronc/apprise/wiki for how the address of each service is written.",
        )
    text = "\n".join(alert.lines())
    with _silent():
        sent = services.notify(
            title=alert.headline, body=text or alert.headline, notify_type=_TYPES.get(alert.kind, "warning")
        )
    if not sent:
        raise AlertNotSentError(
            f"{config.where}: the service did not take the alert.",
            hint="Look at its address and credentials, and at whether this machine reaches it.",
        )
    return ""


@contextmanager
def _silent() -> Iterator[None]:
    """Without the logs of Apprise and of what it sends with: they may hold the address, and with it the credentials."""
    logs = [logging.getLogger(name) for name in ("apprise", "urllib3.connectionpool")]
    before = [log.disabled for log in logs]
    for log in logs:
        log.disabled = True
    try:
        yield
    finally:
        for log, was_disabled in zip(logs, before, strict=True):
            log.disabled = was_disabled
