"""When a sync's runs are due, as its file sets it. How a cadence becomes times is in ``schedule``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from reverse_etl.config.cron import check_cron
from reverse_etl.config.intervals import Interval
from reverse_etl.config.model import YamlModel


def _whole_minutes(every: timedelta) -> timedelta:
    if every % timedelta(minutes=1):
        raise ValueError("must be whole minutes, 1m or more")
    return every


def _start(value: object) -> datetime:
    how = "write a date, a time and a zone, as in 2026-01-05T01:30:00Z"
    try:
        value = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError(f"is not a point in time: {how}") from None
    if value.tzinfo is None:
        raise ValueError(f"has no zone: {how}")
    if value.second or value.microsecond:
        raise ValueError("must be a whole minute: runs start at second 0")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"is not a point in time: {how}") from None


class ScheduleConfig(YamlModel):
    """When runs are due: ``every`` (from ``start_at``), ``cron``, or only by hand when both are None.

    Attributes:
        every: Whole minutes.
        cron: Five fields or a nickname such as ``@daily``, in UTC.
        start_at: Aware, UTC, a whole minute; only with ``every``. None: when the sync is first seen.
        overlap: What a due run does when another sync of the workspace is in progress.
    """

    every: Annotated[Interval, AfterValidator(_whole_minutes)] | None = Field(
        default=None, description="Time between runs: 5m, 1h, 6h, 1d, 2w."
    )
    cron: Annotated[str, AfterValidator(check_cron)] | None = Field(
        default=None, description="Five fields, in UTC: minute hour day month weekday."
    )
    start_at: (
        Annotated[
            datetime,
            BeforeValidator(_start),
            WithJsonSchema({"type": "string", "examples": ["2026-01-05T01:30:00Z"]}),
        ]
        | None
    ) = Field(default=None, description="First run, with its zone; later runs are start_at + n * every.")
    overlap: Literal["skip", "wait"] = Field(default="skip", description="When the workspace is busy.")

    @property
    def manual(self) -> bool:
        """Whether runs only start by hand."""
        return self.every is None and self.cron is None

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """``every`` and ``cron`` exclude each other; ``start_at`` needs ``every``."""
        if given.get("every") is not None and given.get("cron") is not None:
            yield "cron", "every and cron exclude each other: keep one"
        elif given.get("start_at") is not None and given.get("every") is None:
            yield "start_at", "goes with every only"


def _manual(value: object) -> object:
    if value == "manual":
        return ScheduleConfig()
    if value is None or isinstance(value, (str, int, float, list)):
        raise ValueError('must be `manual`, or keys such as `{every: 1h}` or `{cron: "15 * * * *"}`')
    return value


Schedule = Annotated[ScheduleConfig, BeforeValidator(_manual)]
"""A schedule in YAML: ``manual``, or keys."""
