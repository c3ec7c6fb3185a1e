"""When a sync's runs are due, as its file sets it. How a cadence becomes times is in ``schedule``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, WithJsonSchema

from reverse_etl.config.cron import check_cron
from reverse_etl.config.intervals import Interval
from reverse_etl.config.model import YamlModel

_AFTER_SCHEMA: Final = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    "examples": ["upstream", ["companies", "key:staging/customers"]],
}


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


UPSTREAM: Final = "upstream"
"""In place of names: whatever the queries read."""

ASSET: Final = "key:"
"""What the name of an asset of Dagster begins with, as in its selections: ``key:staging/customers``."""


def _names(value: object) -> object:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name.strip() for name in value):
        raise ValueError("must be `upstream`, or names of syncs and assets, such as [companies, key:staging/customers]")
    names = tuple(dict.fromkeys(name.strip() for name in value))
    if not names:
        raise ValueError("is empty: write `upstream`, or the names of syncs and assets")
    if UPSTREAM in names and len(names) > 1:
        raise ValueError("upstream stands alone: it is everything that the query reads")
    for name in names:
        if name.startswith(ASSET) and not all(asset_path(name)):
            raise ValueError(f"{name} is no key of an asset: write its parts with / between them")
    return names


def asset_path(name: str) -> tuple[str, ...]:
    """The parts of an asset's key that is named ``key:staging/customers``."""
    return tuple(part.strip() for part in name.removeprefix(ASSET).split("/"))


class ScheduleConfig(YamlModel):
    """When runs are due: ``every`` (from ``start_at``), ``cron``, ``after`` others, or only by hand.

    Attributes:
        every: Whole minutes; with ``after``, the longest wait.
        cron: Five fields or a nickname such as ``@daily``, in UTC.
        start_at: Aware, UTC, a whole minute; only with ``every``. None: when the sync is first seen.
        after: ``("upstream",)``, or names of syncs, and of assets behind ``key:``; empty where time alone decides.
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
    after: Annotated[tuple[str, ...], BeforeValidator(_names), WithJsonSchema(_AFTER_SCHEMA)] = Field(
        default=(),
        description="Runs when what the query reads was made again (upstream), or when each of these syncs and assets "
        "(key:staging/customers) was; every is then the longest wait.",
    )
    overlap: Literal["skip", "wait"] = Field(default="skip", description="When the workspace is busy.")

    @property
    def manual(self) -> bool:
        """Whether runs only start by hand."""
        return self.every is None and self.cron is None and not self.after

    @property
    def after_upstream(self) -> bool:
        """Whether runs follow whatever the queries read."""
        return self.after == (UPSTREAM,)

    @property
    def after_syncs(self) -> tuple[str, ...]:
        """The syncs that it runs after."""
        return tuple(name for name in self.after if name != UPSTREAM and not name.startswith(ASSET))

    @property
    def after_assets(self) -> tuple[tuple[str, ...], ...]:
        """The keys of the assets that it runs after, which it names."""
        return tuple(asset_path(name) for name in self.after if name.startswith(ASSET))

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """``every`` and ``cron`` exclude each other; ``start_at`` needs ``every``, and time alone to decide."""
        if given.get("every") is not None and given.get("cron") is not None:
            yield "cron", "every and cron exclude each other: keep one"
        elif given.get("start_at") is not None and given.get("every") is None:
            yield "start_at", "goes with every only"
        if given.get("after") is not None:
            for key in ("cron", "start_at"):
                if given.get(key) is not None:
                    yield key, "does not go with after: its longest wait is every, from the last run"


def _manual(value: object) -> object:
    if value == "manual":
        return ScheduleConfig()
    if value is None or isinstance(value, (str, int, float, list)):
        raise ValueError('must be `manual`, or keys such as `{every: 1h}` or `{cron: "15 * * * *"}`')
    return value


Schedule = Annotated[ScheduleConfig, BeforeValidator(_manual)]
"""A schedule in YAML: ``manual``, or keys."""


def read_schedule(value: object) -> ScheduleConfig:
    """A schedule alone, of a file whose other keys may not be as they must. Raises ValidationError."""
    return _alone().validate_python(value)


@cache
def _alone() -> TypeAdapter[ScheduleConfig]:
    return TypeAdapter(Schedule)
