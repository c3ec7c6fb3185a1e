"""The alerts about a sync, each of them once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse_etl.config.notify import EVERYTHING_THAT_FAILS, Occasions
from reverse_etl.notify.alert import Alert, Kind, ReasonCount
from reverse_etl.notify.decide import Sent, decide
from reverse_etl.report import Counts, Reason, RunReport, Status
from reverse_etl.state.alerts import SyncFacts
from reverse_etl.state.failures import FailedCause
from reverse_etl.state.syncs import SyncState
from reverse_etl_tests.notify.conftest import ended, sync_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FRESH = SyncState("people", "main", last_sync_time=int(NOON.timestamp()), first_seen_at=NOON)
ALL = Occasions(failure=True, some_rows_failed=True, stale=True, skipped=3, recovery=True)


def cause(reason: str = "email_valid", rows: int = 1) -> FailedCause:
    """Rows that a check rejected, with a message that must not be in an alert."""
    return FailedCause("rows", "check", Reason(reason, "email", "planted message of a row"), rows)


def facts(run: RunReport | None, *causes: FailedCause, state: SyncState = FRESH, skipped: int = 0) -> SyncFacts:
    """Facts of a sync that is fresh unless another state is given."""
    last = RunReport("people", "s", Status.SKIPPED, NOON, message="Run 1 was in progress.") if skipped else None
    return SyncFacts(state, run, causes, skipped, last)


def failed(number: int = 1, message: str = "database shop: no answer.", exit_code: int = 3) -> RunReport:
    """A run that stopped."""
    return replace(ended(number, Status.FAILED, at=NOON, message=message, exit_code=exit_code))


def some_failed(number: int = 1, rows: int = 2) -> RunReport:
    """A run with failed rows."""
    return ended(number, Status.SOME_ROWS_FAILED, at=NOON, failed=rows, exit_code=7)


def completed(number: int = 9) -> RunReport:
    """A run of which every row was delivered."""
    return ended(number, Status.COMPLETED, at=NOON)


class Channel:
    """A channel that takes every alert and forgets nothing."""

    def __init__(self, on: Occasions = ALL, schedule: Any = None) -> None:
        self.on, self.sent, self.sync = on, Sent(), sync_of(schedule)

    def hears(self, known: SyncFacts, now: datetime = NOON) -> list[Alert]:
        """What is new to it."""
        alerts = []
        for alert, then in decide(self.sync, known, on=self.on, sent=self.sent, now=now):
            alerts += [alert] if alert else []
            self.sent = Sent.read(then.written())
        return alerts

    def kinds(self, known: SyncFacts, now: datetime = NOON) -> list[str]:
        """The kinds of what is new to it."""
        return [alert.kind.value for alert in self.hears(known, now)]


def test_a_failure_is_one_alert_and_its_end_another() -> None:
    """Three runs that fail alike are one alert, two completed ones one recovery; then it can fail again."""
    channel = Channel()
    heard = [channel.kinds(facts(failed(number, f"run {number}: read 1,{number}00 rows."))) for number in (1, 2, 3)]
    heard += [channel.kinds(facts(completed(number))) for number in (4, 5)]
    heard.append(channel.kinds(facts(failed(6))))
    assert [["failure"], [], [], ["recovery"], [], ["failure"]] == heard


def test_a_failure_that_changes_is_another_alert() -> None:
    """Another cause, another exit code, and from failed to some rows failed and back."""
    channel = Channel()
    assert ["failure"] == channel.kinds(facts(failed()))
    assert ["failure"] == channel.kinds(facts(failed(message="database shop: the password was refused.")))
    assert ["failure"] == channel.kinds(facts(failed(exit_code=5)))
    assert ["some_rows_failed"] == channel.kinds(facts(some_failed(), cause()))
    assert ["failure"] == channel.kinds(facts(failed()))


def test_a_reason_is_an_alert_when_it_is_new() -> None:
    """More rows, or fewer reasons, are the same state; a reason that comes and goes is one alert until recovery."""
    channel = Channel()
    email, missing = cause(), cause("identifier_present")
    assert ["some_rows_failed"] == channel.kinds(facts(some_failed(1, 2), email))
    assert [] == channel.kinds(facts(some_failed(2, 50), replace(email, rows=50)))
    assert ["some_rows_failed"] == channel.kinds(facts(some_failed(3), email, missing))
    assert [] == channel.kinds(facts(some_failed(4), missing))
    assert [] == channel.kinds(facts(some_failed(5), email, missing))


def test_an_alert_says_what_happened_without_a_row() -> None:
    """Sync, workspace, status, counts, the first reasons with most rows first, and the next command."""
    email, other = cause("email_valid", 2), Reason("email_valid", "x", "planted message of a row")
    causes = [cause("email_valid", 3), cause("identifier_present", 4), replace(email, why=other)]
    (alert,) = Channel().hears(facts(some_failed(1, 9), *causes))
    assert ("people", "main", "some_rows_failed") == (alert.sync, alert.workspace, alert.status)
    assert "people: 9 of 100 rows failed" == alert.headline
    assert (ReasonCount("email_valid", 5), ReasonCount("identifier_present", 4)) == alert.reasons
    lines = "\n".join(alert.lines())
    assert "100 rows read, 91 delivered, 9 rejected" in lines
    assert "Next: reverse-etl errors people" in lines
    assert "planted" not in lines + str(alert.as_json())


def test_only_what_is_asked_for_is_an_alert() -> None:
    """Without `failure` a failure is silent, and so is a recovery from nothing or one that was not asked for."""
    quiet = Channel(Occasions(some_rows_failed=True))
    assert [] == quiet.kinds(facts(failed()))
    assert ["some_rows_failed"] == quiet.kinds(facts(some_failed(), cause()))
    assert [] == quiet.kinds(facts(completed()))
    assert Sent() == quiet.sent
    assert [] == Channel().kinds(facts(completed()))


def test_a_failed_row_rate_is_an_alert_above_the_share() -> None:
    """5% of the rows are not more than 5%; it is over when a run is below, and can come again."""
    channel = Channel(Occasions(failed_row_rate=5.0, recovery=True))
    assert [] == channel.kinds(facts(some_failed(1, 5), cause()))
    (alert,) = channel.hears(facts(some_failed(2, 6), cause()))
    assert (Kind.FAILED_ROW_RATE, "people: 6 of 100 rows failed (6.0%)") == (alert.kind, alert.headline)
    assert [] == channel.kinds(facts(some_failed(3, 7), cause()))
    (alert,) = channel.hears(facts(some_failed(4, 1), cause()))
    assert (Kind.RECOVERY, "people: better: 1.0% of its rows failed") == (alert.kind, alert.headline)
    assert ["failed_row_rate"] == channel.kinds(facts(some_failed(5, 8), cause()))


def test_a_rate_above_the_share_takes_the_place_of_some_rows_failed() -> None:
    """One run is one alert; below the share there is still one that some failed."""
    channel = Channel(Occasions(failed_row_rate=5.0, some_rows_failed=True))
    assert ["failed_row_rate"] == channel.kinds(facts(some_failed(1, 6), cause()))
    assert ["some_rows_failed"] == channel.kinds(facts(some_failed(2, 1), cause()))


@pytest.mark.parametrize(
    ("stale", "schedule", "after"),
    [(True, {"every": "1h"}, 2 * HOUR), (6 * HOUR, {"every": "1h"}, 6 * HOUR), (6 * HOUR, "manual", 6 * HOUR)],
)
def test_a_sync_gets_stale_once(stale: timedelta | bool, schedule: Any, after: timedelta) -> None:
    """After two intervals or the time that is asked for, from the last delivery on."""
    channel = Channel(Occasions(stale=stale, recovery=True), schedule)
    assert [] == channel.kinds(facts(completed()), NOON + after)
    (alert,) = channel.hears(facts(completed()), NOON + after + timedelta(minutes=1))
    assert Kind.STALE == alert.kind
    assert "people is stale: its last delivery was" in alert.headline
    assert [] == channel.kinds(facts(completed()), NOON + 3 * after)
    again = replace(FRESH, last_sync_time=int((NOON + 3 * after).timestamp()))
    assert ["recovery"] == channel.kinds(facts(completed(2), state=again), NOON + 3 * after)


def test_what_never_was_completed_gets_stale_from_when_it_was_first_seen() -> None:
    """A sync whose first run never happens is one too; a manual one has no interval to wait for."""
    unseen = SyncFacts(SyncState("people"))
    never = SyncFacts(replace(FRESH, last_sync_time=0))
    assert [] == Channel().kinds(unseen, NOON + 9 * HOUR)
    assert ["stale"] == Channel().kinds(never, NOON + 3 * HOUR)
    assert [] == Channel(schedule="manual").kinds(never, NOON + 900 * HOUR)


def test_a_paused_sync_is_neither_stale_nor_well_again() -> None:
    """No one waits for it: there is no alert, and what was sent stays open until it runs."""
    paused = replace(FRESH, paused=True)
    assert [] == Channel().kinds(facts(completed(), state=paused), NOON + 9 * HOUR)
    channel = Channel()
    assert ["stale"] == channel.kinds(facts(completed()), NOON + 9 * HOUR)
    assert [] == channel.kinds(facts(completed(), state=paused), NOON + 9 * HOUR)
    assert [] == channel.kinds(facts(completed()), NOON + 9 * HOUR)


def test_skips_in_a_row_are_one_alert_when_there_are_enough() -> None:
    """At the third, not at the second and not again at the fourth; with who was in the way."""
    channel = Channel()
    assert [] == channel.kinds(facts(completed(), skipped=2))
    (alert,) = channel.hears(facts(completed(), skipped=3))
    assert (Kind.SKIPPED, "Run 1 was in progress.") == (alert.kind, alert.message)
    assert [] == channel.kinds(facts(completed(), skipped=4))
    assert ["recovery"] == channel.kinds(facts(completed(2)))


def test_recovery_comes_once_and_when_nothing_is_open() -> None:
    """Failed and stale are two alerts; the completed run that ends both is one recovery."""
    channel = Channel()
    assert ["failure", "stale"] == channel.kinds(facts(failed()), NOON + 3 * HOUR)
    again = replace(FRESH, last_sync_time=int((NOON + 3 * HOUR).timestamp()))
    assert ["recovery"] == channel.kinds(facts(completed(), state=again), NOON + 3 * HOUR)


@given(
    st.lists(
        st.tuples(st.sampled_from(["completed", "failed", "some"]), st.integers(0, 5), st.integers(0, 6), st.booleans())
    )
)
def test_nothing_is_an_alert_twice_whatever_happens(steps: list[tuple[str, int, int, bool]]) -> None:
    """Asked again about the same facts, there is never anything new; recoveries follow an alert."""
    channel = Channel()
    open_alerts = 0
    for number, (what, skipped, hours, paused) in enumerate(steps):
        runs = {"completed": completed(number), "failed": failed(number), "some": some_failed(number)}
        known = facts(runs[what], cause(), state=replace(FRESH, paused=paused), skipped=skipped)
        heard = channel.kinds(known, NOON + hours * HOUR)
        assert [] == channel.kinds(known, NOON + hours * HOUR)
        assert len(set(heard)) == len(heard)
        if "recovery" in heard:
            assert (["recovery"], True) == (heard, open_alerts > 0)
        open_alerts = 0 if channel.sent == Sent() else open_alerts + len(heard)


def test_what_a_channel_gets_by_default() -> None:
    """Everything that fails and its end."""
    assert ["failure"] == Channel(EVERYTHING_THAT_FAILS).kinds(facts(failed()))
    assert ["some_rows_failed"] == Channel(EVERYTHING_THAT_FAILS).kinds(facts(some_failed(), cause()))
    assert ["stale"] == Channel(EVERYTHING_THAT_FAILS).kinds(facts(completed()), NOON + 3 * HOUR)


def test_a_run_with_failed_rows_has_delivered_too() -> None:
    """It is one by its own kind; the others of its rows are fresh."""
    some = replace(facts(some_failed(), cause()), delivered_at=NOON + 3 * HOUR)
    assert ["some_rows_failed"] == Channel().kinds(some, NOON + 4 * HOUR)


def counted_run(number: int, rows: int, before: int | None, status: Status = Status.COMPLETED) -> SyncFacts:
    """Facts of a run that read so many rows, after one that read others."""
    run = replace(ended(number, status, at=NOON), streams={"rows": Counts(extracted=rows, delivered=rows)})
    return replace(facts(run), rows_before=before)


@pytest.mark.parametrize(
    ("rows", "before", "alerts"),
    [
        (451, 300, True),
        (450, 300, False),
        (149, 300, True),
        (150, 100, False),
        (101, 0, True),
        (100, 0, False),
        (9_000, None, False),
    ],
)
def test_a_number_of_rows_that_changed_much_is_an_alert(rows: int, before: int | None, alerts: bool) -> None:
    """By more than half, and by more than a hundred rows."""
    heard = Channel(Occasions(row_count_change=True)).hears(counted_run(1, rows, before))  # type: ignore[arg-type]
    assert ["row_count_change"] * alerts == [alert.kind.value for alert in heard]
    for alert in heard:
        assert f"people read {rows:,} row" in alert.headline
        assert f"{before:,} of the run before" in alert.headline


def test_each_run_with_another_number_of_rows_is_an_alert_and_the_usual_one_a_recovery() -> None:
    """A run that stopped ends nothing; what an earlier release remembered is read."""
    channel = Channel(Occasions(row_count_change="50%", recovery=True))  # type: ignore[arg-type]
    runs = [
        counted_run(1, 900, 300),
        counted_run(1, 900, 300),
        counted_run(2, 300, 900),
        counted_run(3, 0, None, Status.FAILED),
        counted_run(4, 310, 300),
        counted_run(5, 310, 310),
    ]
    kinds = [channel.kinds(each) for each in runs]
    assert [["row_count_change"], [], ["row_count_change"], [], ["recovery"], []] == kinds
    assert Sent(stale=True) == Sent.read('{"run": "", "marks": [], "stale": true, "skipped": false}')


def test_true_means_a_tenth_of_the_rows() -> None:
    """A share of failed rows without a number."""
    assert Occasions(failed_row_rate=True).failed_row_rate == 10.0
