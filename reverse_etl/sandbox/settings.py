"""What can be set when a sandbox starts. Nothing here listens or stores."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reverse_etl.errors import ConfigError

OBJECT_TYPE_NAMES = ("Companies", "Courses", "Accounts", "Teams", "Orders", "Devices")


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """One stand-in workspace.

    Where Customer.io's own documentation is silent or contradicts itself the reading is a switch, and the default is
    the reading that hides least from a test.

    Attributes:
        port: 0 lets the system choose one.
        object_types: How many object types exist, numbered from 1.
        keep_bodies: Whether ``/_sandbox/requests`` also holds what was sent.
        suppressed: ``ignore`` answers 200 and does nothing, ``error`` refuses the item.
        unknown_object_type: ``error`` refuses the item, ``activity`` accepts it and records a failed change.
        create_missing: Whether an event or a relationship creates the person or object it names.
        change_email_by_id: Whether an identify by id may change an e-mail address that is set already.
        kilobyte: What a documented "kb" is, in bytes: 1000 or 1024.
        oversize_status: Answer to a body over the documented size: 413 or 400.
        app_rate_limit: App API requests per second; 0 switches the limit off.
        data_file: Where the contents are kept between starts; None keeps them in memory alone.
        durable: Whether contents are saved before each answer, so that not even SIGKILL loses what was answered.
        idle_exit_s: Seconds without any request after which the server ends itself; None keeps it running.
        allow_remote: Whether an address other than this machine's own may be listened on.
        activities_kept: Ordinary activities remembered; refusals are remembered without limit.
    """

    host: str = "127.0.0.1"
    port: int = 8700
    workspace_name: str = "Sandbox"
    site_id: str = "sandbox"
    track_api_key: str = "sandbox"
    app_api_key: str = "sandbox"
    region: Literal["us", "eu"] = "us"
    object_types: int = 3
    keep_bodies: bool = False
    suppressed: Literal["ignore", "error"] = "ignore"
    unknown_object_type: Literal["error", "activity"] = "error"
    create_missing: bool = True
    change_email_by_id: bool = False
    kilobyte: int = 1000
    oversize_status: int = 413
    app_rate_limit: float = 10.0
    data_file: Path | None = None
    durable: bool = False
    idle_exit_s: float | None = None
    allow_remote: bool = False
    activities_kept: int = 20_000

    @property
    def max_request_bytes(self) -> int:
        """Largest ``/api/v2/batch`` body."""
        return 500 * self.kilobyte

    @property
    def max_item_bytes(self) -> int:
        """Largest item of a batch, and largest ``/api/v2/entity`` body."""
        return 32 * self.kilobyte

    def object_type_names(self) -> dict[str, str]:
        """Name by object type id, in the order of the ids."""
        names = OBJECT_TYPE_NAMES
        return {str(n): names[n - 1] if n <= len(names) else f"Type {n}" for n in range(1, self.object_types + 1)}

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
