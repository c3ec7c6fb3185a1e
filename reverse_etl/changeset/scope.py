"""Which rows a run reads: what changed since last sync time, or what it was asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING, Final, Self

from reverse_etl.changeset.asked import reads_by_time
from reverse_etl.config.limits import parse_limit
from reverse_etl.config.sql_text import PLACEHOLDER, UNTIL
from reverse_etl.counted import counted
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from reverse_etl.config.syncs import SyncConfig


_TOGETHER: Final = (("full", "limit"), ("since", "until"), ("since", "limit"), ("until", "limit"))
"""Options that do not exclude each other."""


class Reads(StrEnum):
    """What a run reads of what its sync's queries return."""

    CHANGES = "changes"
    """What changed since last sync time; all rows of a query that does not ask for that."""
    FULL = "full"
    """All rows."""
    SINCE = "since"
    """What changed since a time that was named."""
    LIMIT = "limit"
    """The first rows."""
    ONLY = "only"
    """The rows with identifiers that were named."""
    RETRY = "retry"
    """The rows that failed in an earlier run."""
    UNDO = "undo"
    """Nothing: the rows take back what an earlier run sent."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing that is to be sent is left out, so that last sync time may move."""
        return self in (Reads.CHANGES, Reads.FULL)

    @property
    def is_sample(self) -> bool:
        """Whether shares and numbers of its rows mean nothing: it reads a few, whichever they are."""
        return self in (Reads.LIMIT, Reads.ONLY, Reads.RETRY, Reads.UNDO)


@dataclass(frozen=True, slots=True)
class Scope:
    """What one run is asked to read; by default what changed.

    Attributes:
        full: Everything, from last sync time 0.
        since: What changed since then, Unix seconds.
        until: What changed before then, Unix seconds, beside ``since``.
        limit: At most this many rows of each query.
        only: The id of a list of identifiers (``changeset.chosen``): only their rows, whenever they changed.
        retry_of: The id of a run: only the rows that failed in it, whenever they changed.
        plan: The id of a plan: the rows that it read.
        gone_max: How much of what is gone may be removed, ``20%`` or a number; empty for what the sync allows.
        adds_max: How many rows may be added to a table, alike.
        updates_max: How many rows of a table may be changed, alike.
        accept: Names of checks that may be broken without stopping the run, with commas between.
        backfill: Whether what a run leaves out until a person has confirmed it is read to be sent. No option of a
            run: only a plan has such rows, and to send it is to confirm them.
    """

    full: bool = False
    since: int | None = None
    until: int | None = None
    limit: int | None = None
    only: str = ""
    retry_of: str = ""
    plan: str = ""
    gone_max: str = ""
    adds_max: str = ""
    updates_max: str = ""
    accept: str = ""
    backfill: bool = False

    @classmethod
    def of(
        cls,
        *,
        full: bool = False,
        since: str = "",
        until: str = "",
        limit: int = 0,
        only: str = "",
        retry_of: str = "",
        plan: str = "",
        gone_max: str = "",
        adds_max: str = "",
        updates_max: str = "",
        accept: str = "",
        mark: str = "",
    ) -> Self:
        """What options ask for.

        Args:
            full: As in ``Scope``.
            since: ISO 8601; UTC where it names no zone, midnight where it is a date.
            until: The same; it needs ``since``.
            limit: 0 for none.
            only: As in ``Scope``.
            retry_of: As in ``Scope``.
            plan: As in ``Scope``.
            gone_max: As in ``Scope``.
            adds_max: As in ``Scope``.
            updates_max: As in ``Scope``.
            accept: As in ``Scope``.
            mark: What stands before the options' names where they are written.

        Raises:
            ConfigError: They exclude each other, or have no such value.
        """
        given = {
            "full": full,
            "since": since,
            "until": until,
            "limit": limit,
            "only": only,
            "retry_of": retry_of,
            "plan": plan,
        }
        for one, other in combinations([name for name, value in given.items() if value], 2):
            if (one, other) not in _TOGETHER:
                raise ConfigError(f"{mark}{one} and {mark}{other} exclude each other.", hint="Leave out one of them.")
        if until and not since:
            raise ConfigError(f"{mark}until needs {mark}since beside it.")
        if limit < 0:
            raise ConfigError(f"{mark}limit is less than 1.", hint=f"Give a number of rows, such as {mark}limit 10.")
        limits = {"gone_max": gone_max, "adds_max": adds_max, "updates_max": updates_max}
        for name, text in limits.items():
            if text:
                _require_limit(text, f"{mark}{name}".replace("_", "-") if mark else name)
        begin = math.floor(_seconds(since, f"{mark}since")) if since else None
        end = math.ceil(_seconds(until, f"{mark}until")) if until else None
        if begin is not None and begin > datetime.now(UTC).timestamp():
            raise ConfigError(f"{mark}since is in the future: nothing has changed since then.")
        if begin is not None and end is not None and end <= begin:
            raise ConfigError(f"{mark}until is not after {mark}since.")
        return cls(full, begin, end, limit or None, only, retry_of, plan, gone_max, adds_max, updates_max, accept)

    def as_options(self) -> dict[str, str | int | bool]:
        """What ``of`` is to be given for it; what is left out is not in it."""
        since, until = (
            "" if at is None else datetime.fromtimestamp(at, UTC).isoformat() for at in (self.since, self.until)
        )
        given: dict[str, str | int | bool] = {
            "full": self.full,
            "since": since,
            "until": until,
            "limit": self.limit or 0,
        }
        given |= {"only": self.only, "retry_of": self.retry_of, "plan": self.plan}
        given |= {"gone_max": self.gone_max, "adds_max": self.adds_max, "updates_max": self.updates_max}
        given["accept"] = self.accept
        return {name: value for name, value in given.items() if value}

    def without_limits(self) -> Self:
        """The same reading, whatever is allowed to become of it."""
        return replace(self, gone_max="", adds_max="", updates_max="")

    @property
    def accepted(self) -> list[str]:
        """The names of the checks that may be broken."""
        return [name for name in (part.strip() for part in self.accept.split(",")) if name]

    @property
    def reads(self) -> Reads:
        """What that makes of the run."""
        if self.retry_of:
            return Reads.RETRY
        if self.only:
            return Reads.ONLY
        if self.limit is not None:
            return Reads.LIMIT
        if self.since is not None:
            return Reads.SINCE
        return Reads.FULL if self.full else Reads.CHANGES

    @property
    def from_last_sync_time(self) -> bool:
        """Whether what is remembered of the last completed run says from when it reads."""
        return not (self.full or self.only or self.retry_of or self.since is not None)

    def check(self, sync: SyncConfig) -> None:
        """Raises ConfigError where the sync's queries make it mean something else."""
        if self.since is not None and not reads_by_time(sync):
            raise ConfigError(
                "no query has {{last_sync_time}}, which the time would replace: each run reads all rows.",
                hint="Run without it, or compare the column of a row's last change with {{last_sync_time}}.",
            ).located(sync.where)
        for stream in sync.streams if self.until is not None else ():
            if PLACEHOLDER.search(stream.query) and not UNTIL.search(stream.query):
                raise ConfigError(
                    f"the {stream.label} has no {{{{until}}}}, which would end what is read.",
                    hint="Add a condition beside the one with {{last_sync_time}}, such as `updated_at < {{until}}`: "
                    "in all other runs it ends nothing.",
                ).located(sync.where)

    def note(self) -> str:
        """A sentence for the run's message about what it read; empty where nothing was left out."""
        if self.reads.is_whole or self.retry_of:
            return ""
        what = "Only the rows with the identifiers that were asked for were read" if self.only else ""
        if self.since is not None:
            before = f" and before {_shown(self.until)}" if self.until is not None else ""
            what = f"Only what changed since {_shown(self.since)}{before} was read"
        if self.limit is not None:
            first = f"at most {counted(self.limit, 'row')} of each query"
            what = f"{what}, {first}" if what else f"Only the first rows were read, {first}"
        return f"{what}: last sync time stays as it is."


WHAT_CHANGED: Final = Scope()


def _require_limit(text: str, option: str) -> None:
    try:
        parse_limit(text)
    except ValueError:
        raise ConfigError(f"{option} is no limit.", hint=f"Write {option} 20%, or a number of rows.") from None


def _seconds(text: str, option: str) -> float:
    """A time as Unix seconds; 0 for a time before 1970."""
    try:
        time = datetime.fromisoformat(text.strip())
        return max(0.0, (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{option} is not a time.", hint=f"Write {option} 2026-01-05T01:30:00Z, or a date such as 2026-01-05."
        ) from None


def _shown(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
