"""What a person may do on the page, where ``--allow-actions`` lets it: each the same as the command of its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actions:
    """Each takes the name of a sync, and raises ReverseEtlError where it cannot be done.

    Attributes:
        pause: Due runs are left out from now on.
        resume: They start again, in Dagster's UI too.
        run: Starts a run as a schedule would, in no process of ours, and returns Dagster's id of it; None where no
            Dagster is known that could.
    """

    pause: Callable[[str], None]
    resume: Callable[[str], None]
    run: Callable[[str], str] | None
