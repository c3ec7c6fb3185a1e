"""A clock that stands still and jumps: what our code, Dagster and `time.time` take for the present, in this process.

Servers and DuckDB keep the machine's own. Every module of ours is imported first, because each has its own name for
`datetime`.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from unittest import mock

from dagster._core.test_utils import freeze_time

import reverse_etl

_PACKAGE = Path(reverse_etl.__file__).parent


@dataclass(slots=True)
class SimulatedClock:
    """The present, aware UTC."""

    now: datetime


@contextmanager
def simulated_clock(at: datetime) -> Iterator[SimulatedClock]:
    """Everything in this process believes that it is ``at``, and later what ``now`` is set to, until the end."""
    _import_all()
    clock = SimulatedClock(at)

    def now_s() -> float:
        return clock.now.timestamp()

    with mock.patch.object(time, "time", now_s):
        simulated = _datetime_of(clock)
        ours = [module for name, module in list(sys.modules.items()) if name.startswith("reverse_etl.")]
        changed = [module for module in ours if getattr(module, "datetime", None) is datetime]
        for module in changed:
            module.datetime = simulated  # type: ignore[attr-defined]
        try:
            yield clock
        finally:
            for module in changed:
                module.datetime = datetime  # type: ignore[attr-defined]


def at_that_time(clock: SimulatedClock) -> Any:
    """The same for Dagster, as long as the block lasts."""
    return freeze_time(clock.now)


def _datetime_of(clock: SimulatedClock) -> type[datetime]:
    class Like(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, datetime)

    class Simulated(datetime, metaclass=Like):
        def __new__(cls, *values: Any, **named: Any) -> Any:
            return datetime(*values, **named)  # noqa: DTZ001 - as the caller says

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return clock.now.astimezone(tz or UTC)

    return Simulated


def _import_all() -> None:
    for path in sorted(_PACKAGE.rglob("*.py")):
        # Dagster's own resources of these two warn when they are imported.
        if not {"migrations", "bigquery.py", "snowflake.py"} & {*path.parts} and not path.stem.startswith("__"):
            importlib.import_module(".".join(path.relative_to(_PACKAGE.parent).with_suffix("").parts))
