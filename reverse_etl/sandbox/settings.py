"""What can be set when stand-ins start: of the server here, of each stand-in in its own ``Settings``."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reverse_etl.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The one process that serves them.

    Attributes:
        port: Of the first, the next ones follow; 0 lets the system choose; None is each one's own.
        keep_bodies: Whether ``/_sandbox/requests`` also holds what was sent.
        idle_exit_s: Seconds without any request after which the server ends itself; None keeps it running.
        allow_remote: Whether an address other than this machine's own may be listened on.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    keep_bodies: bool = False
    idle_exit_s: float | None = None
    allow_remote: bool = False

    def refuse_remote_host(self) -> None:
        """Keeps a server that holds people's data, behind a known password, off the network.

        Raises:
            ConfigError: The host is not a loopback address and ``allow_remote`` is not set.
        """
        if not self.allow_remote and not is_loopback(self.host):
            raise ConfigError(
                f"the sandbox only listens on this machine, and {self.host} is not a loopback address.",
                hint="Use --host 127.0.0.1. If everyone on the network may read and write it: "
                f"python -m reverse_etl.sandbox --allow-remote --host {self.host}",
            )


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def changed(settings: Any, values: Mapping[str, Any]) -> Any:
    """A stand-in's settings with some of them changed; texts become what the field is.

    Raises:
        ValueError: A name is none, or a value does not fit; the message says which.
    """
    known = [field.name for field in dataclasses.fields(settings)]
    for name in values:
        if name not in known:
            raise ValueError(f"{name} is none of its settings, which are {', '.join(known)}")
    now = {name: getattr(settings, name) for name in known}
    try:
        return TypeAdapter(type(settings)).validate_python({**now, **values})
    except ValidationError as error:
        wrong = error.errors(include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from None


def parsed(assignments: Iterable[str], chosen: Iterable[str]) -> dict[str, dict[str, str]]:
    """``NAME.SETTING=VALUE`` by the name of the stand-in, then of the setting.

    Raises:
        ConfigError: One is written otherwise, or of a stand-in that is not started.
    """
    found: dict[str, dict[str, str]] = {name: {} for name in chosen}
    for assignment in assignments:
        place, equals, value = assignment.partition("=")
        name, dot, setting = place.partition(".")
        if not (equals and dot and name in found):
            raise ConfigError(
                f"--set {place}: not a setting of {', '.join(found)}.",
                hint="Write --set NAME.SETTING=VALUE, such as --set slack.bot_token=sandbox.",
            )
        found[name][setting] = value
    return found
