"""What can be set of a stand-in workspace. Nothing here listens or stores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

OBJECT_TYPE_NAMES = ("Companies", "Courses", "Accounts", "Teams", "Orders", "Devices")


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """One stand-in workspace.

    Where Customer.io's own documentation is silent or contradicts itself the reading is a switch, and the default is
    the reading that hides least from a test.

    Attributes:
        object_types: How many object types exist, numbered from 1.
        suppressed: ``ignore`` answers 200 and does nothing, ``error`` refuses the item.
        unknown_object_type: ``error`` refuses the item, ``activity`` accepts it and records a failed change.
        create_missing: Whether an event or a relationship creates the person or object it names.
        change_email_by_id: Whether an identify by id may change an e-mail address that is set already.
        kilobyte: What a documented "kb" is, in bytes: 1000 or 1024.
        oversize_status: Answer to a body over the documented size: 413 or 400.
        app_rate_limit: App API requests per second; 0 switches the limit off.
        data_file: Where the contents are kept between starts; None keeps them in memory alone.
        durable: Whether contents are saved before each answer, so that not even SIGKILL loses what was answered.
        activities_kept: Ordinary activities remembered; refusals are remembered without limit.
    """

    workspace_name: str = "Sandbox"
    site_id: str = "sandbox"
    track_api_key: str = "sandbox"
    app_api_key: str = "sandbox"
    region: Literal["us", "eu"] = "us"
    object_types: int = 3
    suppressed: Literal["ignore", "error"] = "ignore"
    unknown_object_type: Literal["error", "activity"] = "error"
    create_missing: bool = True
    change_email_by_id: bool = False
    kilobyte: int = 1000
    oversize_status: int = 413
    app_rate_limit: float = 10.0
    data_file: Path | None = None
    durable: bool = False
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
