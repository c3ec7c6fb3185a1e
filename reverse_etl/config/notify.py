"""Which channel gets which alerts: the entries of ``notify``. A channel's own keys: ``notify.channels.<type>``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from reverse_etl.config.intervals import HOW_TO_WRITE, INTERVAL_SCHEMA, parse_interval
from reverse_etl.config.model import YamlModel
from reverse_etl.config.percent import PATTERN, parse_percent


def _stale(value: object) -> object:
    if isinstance(value, str):
        return parse_interval(value)
    if isinstance(value, (bool, timedelta)):
        return value
    raise ValueError(f"must be true, for two intervals, or a length of time: {HOW_TO_WRITE}")


MANY_FAILED: Final = 10.0
"""Per cent of a run's rows: what `failed_row_rate: true` means."""

MUCH_CHANGED: Final = 50.0
"""Per cent of the rows of the run before: what `row_count_change: true` means."""


def _share(value: object) -> object:
    if value is True:
        return MANY_FAILED
    share = value if isinstance(value, float) else parse_percent(value)
    if share is None or not 0 <= share < 100:
        raise ValueError("must be a share of the rows below 100%, as in 5%; or true, for 10%")
    return share


def _change(value: object) -> object:
    if value is True:
        return MUCH_CHANGED
    share = value if isinstance(value, float) else parse_percent(value)
    if share is None or not 0 < share <= 100:
        raise ValueError("must be a share of the rows up to 100%, as in 50%; or true, for 50%")
    return share


_SHARE_SCHEMA: Final = WithJsonSchema(
    {"anyOf": [{"const": True}, {"type": "string", "pattern": PATTERN, "examples": ["5%"]}]}
)


class Occasions(YamlModel):
    """When a channel gets an alert. What is left out sends none.

    Attributes:
        failed_row_rate: In percent: a run of which more rows failed sends an alert, one of which fewer failed does not.
        row_count_change: In percent, likewise, of the rows of the run before that read the same way.
        stale: How long ago the last delivery may be. True: two intervals of the sync's schedule.
        skipped: This many due runs in a row that did not happen because another run was in progress.
    """

    failure: bool = Field(default=False, description="A run stopped.")
    some_rows_failed: bool = Field(default=False, description="A run delivered some rows, and some failed.")
    failed_row_rate: Annotated[float, BeforeValidator(_share), _SHARE_SCHEMA] | None = Field(
        default=None, description="More than this share of a run's rows failed; true: more than 10%."
    )
    row_count_change: Annotated[float, BeforeValidator(_change), _SHARE_SCHEMA] | None = Field(
        default=None,
        description="A run read more or fewer rows than the one before, by more than this share and by more than 100 "
        "rows; true: by more than 50%.",
    )
    stale: Annotated[
        timedelta | bool,
        BeforeValidator(_stale),
        WithJsonSchema({"anyOf": [{"type": "boolean"}, INTERVAL_SCHEMA]}),
    ] = Field(default=False, description="Nothing was delivered for this long; true: for two intervals.")
    skipped: int | None = Field(default=None, ge=1, description="This many due runs in a row were skipped.")
    recovery: bool = Field(default=False, description="Every problem that the channel got an alert about is over.")

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """There is something to tell."""
        if not any(value not in (None, False) for key, value in given.items() if key != "recovery"):
            yield "", "this channel would get no alert: name an occasion, such as `failure: true`"


EVERYTHING_THAT_FAILS: Final = Occasions(
    failure=True, some_rows_failed=True, row_count_change=MUCH_CHANGED, stale=True, recovery=True
)
"""When a channel gets an alert unless its entry sets other occasions."""


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("is empty: leave it out for all syncs")
    return names


class ChannelConfig(YamlModel):
    """One entry of ``notify``.

    Attributes:
        name: Its key in ``notify``; set by the loader.
        type: The name of its module in ``reverse_etl.notify.channels``.
        syncs: Whose alerts it gets; None: those of all syncs.
    """

    SET_BY_LOADER: ClassVar[frozenset[str]] = frozenset({"name"})

    name: str = ""
    type: str = Field(description="The kind of channel.")
    on: Occasions = Field(default=EVERYTHING_THAT_FAILS, description="When the channel gets an alert.")
    syncs: Annotated[tuple[str, ...], AfterValidator(_some)] | None = Field(
        default=None, description="Names of syncs; all when left out."
    )

    @property
    def where(self) -> str:
        """For messages: ``notify.on_call (slack)``."""
        return f"notify.{self.name} ({self.type})"
