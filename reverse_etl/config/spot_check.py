"""``spot_check:`` of a sync's file: how often, and how many of its rows are read back from their destination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Protocol, runtime_checkable

from pydantic import AfterValidator, Field

from reverse_etl import plugins
from reverse_etl.config.connections_file import DESTINATIONS
from reverse_etl.config.intervals import Interval
from reverse_etl.config.model import YamlModel
from reverse_etl.config.problems import Problem, problem_at

if TYPE_CHECKING:
    from reverse_etl.config.connections import DestinationConfig
    from reverse_etl.config.sync_file import SyncFile
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.errors import ConfigError

MOST_SAMPLED = 1_000
"""Rows that are looked up at once."""


def _whole_minutes(every: timedelta) -> timedelta:
    if every % timedelta(minutes=1):
        raise ValueError("must be whole minutes, 1m or more")
    return every


class SpotCheckConfig(YamlModel):
    """A check of what the destination has, on a schedule of its own, as an asset check in Dagster.

    Attributes:
        every: Whole minutes.
        sample: How many rows, chosen at random.
    """

    every: Annotated[Interval, AfterValidator(_whole_minutes)] = Field(
        default=timedelta(days=1), description="Time between two looks: 6h, 1d, 1w."
    )
    sample: int = Field(default=20, ge=1, le=MOST_SAMPLED, description="How many rows are read back, chosen at random.")


@runtime_checkable
class LooksUpApart(Protocol):
    """A kind of destination that is opened in another way to look rows up than to send them."""

    def not_looked_up(self, sync: Any, config: Any) -> ConfigError | None:
        """Why a sync's rows cannot be read back; None where they can. Known without a network."""
        ...

    def open_look_up(self, sync: Any, config: Any, *, patience: Any, clock: Any) -> AbstractAsyncContextManager[Any]:
        """A ``table_powers.LooksUp``, for looking alone. Raises UnsetVariableError."""
        ...


@runtime_checkable
class HasTables(Protocol):
    """A kind of destination whose rows are looked up in their table."""

    def tables(self, config: Any) -> Any:
        """Its tables."""
        ...


def not_read_back(sync: SyncConfig, destination: DestinationConfig) -> ConfigError | None:
    """Why a sync's rows cannot be read back from their destination; None where they can."""
    from reverse_etl.errors import ConfigError

    kind = plugins.load(DESTINATIONS, destination.type)
    if isinstance(kind, LooksUpApart):
        found: ConfigError | None = kind.not_looked_up(sync, destination)
        return found
    if isinstance(kind, HasTables) and sync.streams[0].identifier:
        return None
    why = "without `identify_by` there is nothing to look rows up by" if isinstance(kind, HasTables) else ""
    return ConfigError(
        f"{sync.where}: what {destination.label} has of its rows cannot be read back{why and ': '}{why}.",
        hint="People and objects of a workspace can, and rows of a table with `identify_by`.",
    )


def spot_check_problems(
    syncs: Mapping[str, SyncConfig], files: Mapping[str, SyncFile], destinations: Mapping[str, DestinationConfig]
) -> Iterator[Problem]:
    """What is wrong with syncs that ask to be read back."""
    for name, sync in syncs.items():
        entry = destinations.get(sync.destination) if sync.spot_check is not None else None
        if entry is not None and (error := not_read_back(sync, entry)) is not None:
            message = error.message.removeprefix(f"{sync.where}: ").removesuffix(".")
            text = f"{message}: {error.hint[0].lower()}{error.hint[1:]}"
            yield problem_at(files[name].file, files[name].document, ("spot_check",), text)
