"""Plans that were asked for on the page: each is made once, aside, and looked at until it can no longer be sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from reverse_etl.errors import ReverseEtlError

if TYPE_CHECKING:
    from reverse_etl.run.planned import Plan

KEPT: Final = timedelta(hours=1)
"""As long as ``run --plan`` would send it."""

_DEFECT: Final = "This is a defect of reverse-etl: the terminal in which it runs has the details."


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan that is being made, or that was made.

    Attributes:
        at: When it was asked for, or made; aware UTC.
        plan: None while it is made, and where it could not be.
        problem: Why it could not be made, with the next step; empty otherwise.
    """

    at: datetime
    plan: Plan | None = None
    problem: str = ""

    @property
    def in_the_making(self) -> bool:
        """Whether it is being made."""
        return self.plan is None and not self.problem


class Plans:
    """The newest plan of each sync; for any number of threads, of which one at a time makes a plan.

    Args:
        make: Makes the plan of a sync; raises ReverseEtlError.
        now: The clock, aware.
    """

    def __init__(self, make: Callable[[str], Plan], *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._make = make
        self._now = now
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._plans: dict[str, Planned] = {}

    def of(self, sync: str) -> Planned | None:
        """The sync's newest plan; None where there is none, or none that still counts."""
        with self._lock:
            found = self._plans.get(sync)
            if found is None or found.in_the_making or self._now() - found.at <= KEPT:
                return found
            del self._plans[sync]
            return None

    def ask(self, sync: str) -> None:
        """Has a plan made, unless one is in the making."""
        with self._lock:
            if (found := self._plans.get(sync)) is not None and found.in_the_making:
                return
            self._plans[sync] = Planned(self._now())
            # Ctrl-C does not wait for it: a query may take long, and nothing is lost with it.
            threading.Thread(target=self._put, args=[sync], daemon=True, name=f"plan of {sync}").start()

    def _put(self, sync: str) -> None:
        with self._turn:
            made = Planned(self._now(), problem=_DEFECT)
            try:
                made = Planned(self._now(), self._make(sync))
            except ReverseEtlError as error:
                made = Planned(self._now(), problem=str(error))
            finally:
                with self._lock:
                    self._plans[sync] = made
