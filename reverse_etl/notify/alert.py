"""One alert: what a channel gets about a sync, in words and as JSON. Never a row's value, an identifier or a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from reverse_etl.report import Counts, counts_in_words, with_streams

VERSION = 1
"""Of the JSON form. A key may come; one that is there keeps its name and meaning."""


class Kind(StrEnum):
    """What an alert is about; the words are those of ``on`` in connections.yaml, where there is one."""

    FAILURE = "failure"
    FAILED_ROW_RATE = "failed_row_rate"
    SOME_ROWS_FAILED = "some_rows_failed"
    STALE = "stale"
    SKIPPED = "skipped"
    ROW_COUNT_CHANGE = "row_count_change"
    RECOVERY = "recovery"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """Failed rows of one run that failed for one reason: a rule's name, or the destination's reason."""

    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class Alert:
    """What a channel gets.

    Attributes:
        headline: One line.
        message: What else there is to know, in sentences; may be empty.
        next: The command to run next; may be empty.
        status: Of the run that it is about; empty where it is about none. ``run_id`` and ``started_at`` likewise.
        reasons: Why rows failed, most rows first; only the first few.
        target: Of the syncs; empty where they have none.
    """

    kind: Kind
    sync: str
    workspace: str
    headline: str
    message: str = ""
    next: str = ""
    status: str = ""
    run_id: str = ""
    started_at: datetime | None = None
    streams: Mapping[str, Counts] = field(default_factory=dict)
    reasons: tuple[ReasonCount, ...] = ()
    target: str = ""

    def of_target(self, target: str) -> Alert:
        """The alert as it is sent for a target, whose name its headline and its next command have."""
        if not target:
            return self
        command = f"{self.next} --target {target}" if self.next else ""
        return replace(self, target=target, headline=f"[{target}] {self.headline}", next=command)

    def as_json(self) -> dict[str, Any]:
        """For programs; times as ISO 8601 in UTC, null where there is none."""
        at = self.started_at
        return {
            "version": VERSION,
            **with_streams(asdict(self)),
            "kind": self.kind.value,
            "started_at": at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None,
        }

    def lines(self) -> Iterator[str]:
        """For people: everything after the headline, line by line."""
        if self.message:
            yield self.message
        for name, counts in self.streams.items():
            if counts.extracted:
                yield counts_in_words(name, counts)
        if self.reasons:
            yield "Reasons: " + ", ".join(f"{each.reason} ({each.rows:,})" for each in self.reasons)
        if self.run_id and self.started_at:
            yield f"Run {self.run_id[:8]} of {self.started_at:%Y-%m-%d %H:%M} UTC"
        if self.next:
            yield f"Next: {self.next}"
