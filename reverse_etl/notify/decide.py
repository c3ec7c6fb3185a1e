"""Which alerts of a sync are due now: from the facts of its runs, what a channel asks for and what it has heard.

Nothing here sends or remembers. A state is one alert, another when it changes, and one at its end:

* a run's end when its kind differs from the last alert's, or a reason is new since the last recovery;
* a run that read far more or fewer rows than the one before, once for each such run;
* a sync that gets stale, or that is skipped for the nth time in a row, once until that is over;
* a sync that a faulty file leaves out, once when that begins and once when it is over;
* the recovery when nothing that the channel has heard holds any more.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.config.intervals import format_interval
from reverse_etl.counted import counted
from reverse_etl.errors import ConfigError
from reverse_etl.notify.alert import Alert, Kind, ReasonCount
from reverse_etl.notify.freshness import age, longest_age
from reverse_etl.report import Counts, RunReport, Status
from reverse_etl.state.views import ANOMALY_ROWS

if TYPE_CHECKING:
    from reverse_etl.config.left_out import LeftOut
    from reverse_etl.config.notify import Occasions
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.state.alerts import SyncFacts

OF_FILE: Final = "/"
"""Before a file's name in the place of a sync's, which has none of it."""

_SHOWN_REASONS: Final = 5
_MOST_MARKS: Final = 500
_CHANGING: Final = re.compile(r"\b[0-9a-f]{8,}\b|[0-9][0-9,.:]*")
"""What differs from run to run in a message that otherwise says the same."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a channel has heard of a sync and is not over yet.

    Attributes:
        run: The kind of the last run that it has heard of; empty when none is open.
        marks: A short hash of every reason that came with it.
        rows: The run whose number of rows was an alert; empty when that is over.
        left_out: Whether a faulty file keeps its runs from starting.
    """

    run: str = ""
    marks: frozenset[str] = frozenset()
    stale: bool = False
    skipped: bool = False
    rows: str = ""
    left_out: bool = False

    @classmethod
    def read(cls, text: str) -> Sent:
        """What ``written`` gave; nothing for the empty text."""
        if not text:
            return cls()
        known = json.loads(text)
        marks, later = frozenset(known["marks"]), (known.get("rows", ""), known.get("left_out", False))
        return cls(known["run"], marks, known["stale"], known["skipped"], *later)

    def written(self) -> str:
        """As text; empty when nothing is open."""
        if self == Sent():
            return ""
        known = {"run": self.run, "marks": sorted(self.marks), "stale": self.stale, "skipped": self.skipped}
        return json.dumps({**known, "rows": self.rows, "left_out": self.left_out})


def decide(
    sync: SyncConfig, facts: SyncFacts, *, on: Occasions, sent: Sent, now: datetime
) -> Iterator[tuple[Alert | None, Sent]]:
    """The alerts that are due, in order, each with what the channel has heard after it; none when nothing is new.

    Args:
        sync: The sync.
        facts: Of its runs.
        on: What the channel asks for.
        sent: What it has been sent before.
        now: Aware.

    Yields:
        An alert, and what has been sent with it. None in its place: no alert, only that changes.
    """
    before = sent
    kind = _kind(facts.ended, on)
    marks = _marks(facts) if kind else frozenset()
    if kind and facts.ended is not None and (kind != sent.run or marks - sent.marks):
        kept = sent.marks | marks if len(sent.marks | marks) <= _MOST_MARKS else marks
        sent = replace(sent, run=kind.value, marks=kept)
        # That a faulty file keeps it from running was an alert already.
        told = sent.left_out and facts.ended.exit_code == ConfigError.exit_code
        yield (None if told else _of_run(kind, sync, facts, facts.ended)), sent
    odd = _is_odd(facts, on)
    if odd and facts.ended is not None and sent.rows != facts.ended.run_id:
        sent = replace(sent, rows=facts.ended.run_id)
        yield _of_rows(sync, facts.ended, facts.rows_before or 0), sent
    limit = _limit(sync, on, now)
    old = age(facts.state, facts.delivered_at, now)
    is_stale = limit is not None and old is not None and old > limit and not facts.state.paused
    if is_stale and not sent.stale and limit is not None and old is not None:
        sent = replace(sent, stale=True)
        yield _of_age(sync, facts, old, limit), sent
    is_skipped = on.skipped is not None and facts.skipped_in_a_row >= on.skipped
    if is_skipped and not sent.skipped:
        sent = replace(sent, skipped=True)
        yield _of_skips(sync, facts), sent
    # A paused sync is not well again for not being asked to run.
    open_still = Sent(
        run=sent.run if kind else "",
        marks=sent.marks if kind else frozenset(),
        stale=sent.stale and (is_stale or facts.state.paused),
        skipped=sent.skipped and is_skipped,
        # A run that stopped says nothing of how many rows there are.
        rows=sent.rows if odd or (facts.ended is not None and facts.ended.status is Status.FAILED) else "",
        left_out=sent.left_out,
    )
    if open_still == sent:
        return
    recovered = on.recovery and before != Sent() and open_still == Sent() and facts.ended is not None
    yield (_of_recovery(sync, facts.ended) if recovered and facts.ended is not None else None), open_still


def decide_left_out(
    name: str, why: LeftOut | None, *, on: Occasions, sent: Sent, gone: bool = False
) -> tuple[Alert | None, Sent]:
    """The alert when a faulty file begins to keep a sync from running and when that is over, and what was sent then.

    Args:
        name: The sync's; ``OF_FILE`` and the file's for all that read one; empty for all of the folder.
        why: The reason; None where it may run.
        on: What the channel asks for.
        sent: What it has been sent before.
        gone: Whether the sync is no more.
    """
    if (why is not None) == sent.left_out or not on.failure:
        return None, sent
    then = replace(sent, left_out=why is not None)
    of_all = not name or name.startswith(OF_FILE)
    sync = "" if of_all else name
    if why is None:
        headline = f"{name} is no longer left out{': its file is gone' if gone else ''}"
        if of_all:
            file = name.removeprefix(OF_FILE)
            headline = f"{file} no longer leaves syncs out" if file else "Syncs are no longer left out"
        over = Alert(kind=Kind.RECOVERY, sync=sync, workspace="", headline=headline)
        return (over if on.recovery else None), then
    what = f"{'Syncs are' if of_all else f'{name} is'} left out: {why.short}"
    place = why.sync.destination if why.sync is not None else ""
    message = f"{why.problem if of_all else why.why} No run starts until the file is mended."
    return Alert(Kind.FAILURE, sync, place, what, message, next="reverse-etl validate"), then


def _kind(run: RunReport | None, on: Occasions) -> Kind | None:
    """What a channel calls the end of a run; None where it gets no alert about such."""
    if run is None or run.status is Status.COMPLETED:
        return None
    if run.status is Status.FAILED and on.failure:
        return Kind.FAILURE
    total = run.total
    if on.failed_row_rate is not None and total.failed * 100 > on.failed_row_rate * total.extracted:
        return Kind.FAILED_ROW_RATE
    if run.status is Status.SOME_ROWS_FAILED and on.some_rows_failed:
        return Kind.SOME_ROWS_FAILED
    return None


def _is_odd(facts: SyncFacts, on: Occasions) -> bool:
    """Whether the newest run read far more or fewer rows than the one before."""
    if on.row_count_change is None or facts.ended is None or facts.rows_before is None:
        return False
    change = abs(facts.ended.total.extracted - facts.rows_before)
    return change > ANOMALY_ROWS and change * 100 > on.row_count_change * facts.rows_before


def _marks(facts: SyncFacts) -> frozenset[str]:
    run = facts.ended
    reasons = {f"{cause.query} {cause.stage} {cause.why.reason} {cause.why.field}" for cause in facts.causes}
    if run is not None and run.status is Status.FAILED:
        reasons.add(f"{run.exit_code} {_CHANGING.sub('#', run.message)}")
    return frozenset(hashlib.sha256(each.encode()).hexdigest()[:12] for each in reasons)


def _limit(sync: SyncConfig, on: Occasions, now: datetime) -> timedelta | None:
    if on.stale is True:
        return longest_age(sync.schedule, now)
    return on.stale if isinstance(on.stale, timedelta) else None


def _of_run(kind: Kind, sync: SyncConfig, facts: SyncFacts, run: RunReport) -> Alert:
    total = run.total
    failed = f"{total.failed:,} of {counted(total.extracted, 'row')} failed"
    headline = {
        Kind.FAILURE: f"{sync.name} failed",
        Kind.FAILED_ROW_RATE: f"{sync.name}: {failed} ({_percent(total)})",
        Kind.SOME_ROWS_FAILED: f"{sync.name}: {failed}",
    }[kind]
    return Alert(
        kind=kind,
        sync=sync.name,
        workspace=sync.destination,
        headline=headline,
        message=run.message,
        next=f"reverse-etl errors {sync.name}" if total.failed else f"reverse-etl history {sync.name}",
        reasons=_reasons(facts),
        **_about(run),
    )


def _of_rows(sync: SyncConfig, run: RunReport, before: int) -> Alert:
    rows = run.total.extracted
    by = f"{abs(rows - before) * 100 / before:,.0f}% {'more' if rows > before else 'fewer'} than the " if before else ""
    return Alert(
        kind=Kind.ROW_COUNT_CHANGE,
        sync=sync.name,
        workspace=sync.destination,
        headline=f"{sync.name} read {counted(rows, 'row')}, {by or 'where there were '}{before:,} of the run before",
        message="To stop such a run before anything is sent: the check `row_count: {change: 50%}`.",
        next=f"reverse-etl history {sync.name}",
        **_about(run),
    )


def _of_age(sync: SyncConfig, facts: SyncFacts, old: timedelta, limit: timedelta) -> Alert:
    ago = format_interval(timedelta(minutes=max(1, old // timedelta(minutes=1))))
    delivered = facts.delivered_at is not None or facts.state.last_sync_time
    since = f"its last delivery was {ago} ago" if delivered else f"nothing was delivered since it was seen {ago} ago"
    return Alert(
        kind=Kind.STALE,
        sync=sync.name,
        workspace=sync.destination,
        headline=f"{sync.name} is stale: {since}",
        message=f"Alert threshold: {format_interval(limit)}.",
        next="reverse-etl status",
    )


def _of_skips(sync: SyncConfig, facts: SyncFacts) -> Alert:
    return Alert(
        kind=Kind.SKIPPED,
        sync=sync.name,
        workspace=sync.destination,
        headline=f"{sync.name} was skipped {counted(facts.skipped_in_a_row, 'time', 'times in a row')}",
        message=facts.last_skipped.message if facts.last_skipped else "",
        next=f"reverse-etl history {sync.name}",
    )


def _of_recovery(sync: SyncConfig, run: RunReport) -> Alert:
    state = "the earlier problem is over; its last run failed"
    if run.status is Status.COMPLETED:
        state = "well again"
    elif run.status is Status.SOME_ROWS_FAILED:
        state = f"better: {_percent(run.total)} of its rows failed"
    return Alert(
        kind=Kind.RECOVERY,
        sync=sync.name,
        workspace=sync.destination,
        headline=f"{sync.name}: {state}",
        **_about(run),
    )


def _about(run: RunReport) -> dict[str, Any]:
    return {
        "status": run.status.value,
        "run_id": run.run_id,
        "started_at": run.started_at,
        "streams": run.streams,
    }


def _reasons(facts: SyncFacts) -> tuple[ReasonCount, ...]:
    counted: dict[str, int] = {}
    for cause in facts.causes:
        counted[cause.why.reason] = counted.get(cause.why.reason, 0) + cause.rows
    most = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ReasonCount(reason, rows) for reason, rows in most[:_SHOWN_REASONS])


def _percent(total: Counts) -> str:
    share = 100 * total.failed / total.extracted if total.extracted else 0.0
    return f"{share:.1f}%" if 0.05 <= share < 99.95 else f"{share:.3g}%"
