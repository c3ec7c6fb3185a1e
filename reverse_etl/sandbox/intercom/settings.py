"""What can be set of a stand-in workspace of Intercom. Where no source says what Intercom does, it is a switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class IntercomSettings:
    """One workspace.

    Attributes:
        region: Of the workspace, as ``/me`` says it.
        version: The only ``Intercom-Version`` that is answered. Intercom takes others, and none.
        calls_a_window: Calls in ten seconds; 0 switches the limit off, and the headers with it.
        search_lag_s: Seconds until a search sees what was written.
        unknown_option: Whether a text outside an attribute's options is refused: announced, and taken back.
        long_values: A text of more than 255 characters in an attribute is ``refuse``d or ``cut``.
    """

    access_token: str = "sandbox"  # noqa: S105 - of a stand-in
    region: Literal["us", "eu", "au"] = "us"
    version: str = "2.15"
    calls_a_window: int = 1666
    search_lag_s: float = 60.0
    unknown_option: Literal["refuse", "accept"] = "refuse"
    long_values: Literal["refuse", "cut"] = "refuse"
