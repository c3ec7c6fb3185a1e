"""Alerts of runs in a real history, to a real webhook: said once, kept when it cannot be said, by one of many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from reverse_etl.changeset.failed_rows import batches_of
from reverse_etl.config.notify import ChannelConfig
from reverse_etl.notify.channels.webhook import Config
from reverse_etl.notify.sending import TRY_AGAIN_AFTER, after_run, send_alerts
from reverse_etl.report import FailedRow, Reason, RunReport, Status
from reverse_etl.state.alerts import facts_of
from reverse_etl.state.runs import begin_run, close_run, record_skipped
from reverse_etl.state.store import Store
from reverse_etl_tests.notify.conftest import ended, sync_of
from reverse_etl_tests.notify.test_decide import ALL, HOUR, NOON
from reverse_etl_tests.servers.webhook import Webhook

SYNC = sync_of()


def channels(**keys: Any) -> dict[str, ChannelConfig]:
    """One channel, alerted to everything unless set otherwise."""
    return {"team": Config.model_validate({"name": "team", "url": "${WEBHOOK_URL}", "on": ALL, **keys})}


NOT_STALE = ALL.model_copy(update={"stale": False})
"""For alerts about runs of long ago, as of now."""


def run(
    store: Store, number: int, status: Status, *, reasons: tuple[str, ...] = (), at: Any = None, **more: Any
) -> RunReport:
    """A run of the sync, in the history."""
    report = ended(number, status, at=at or NOON + number * timedelta(minutes=1), failed=len(reasons), **more)
    rows = [
        FailedRow(place, "rows", f"planted-{place}", "check", Reason(reason, "email", "planted message"))
        for place, reason in enumerate(reasons, 1)
    ]
    begin_run(
        store,
        report.run_id,
        root_run_id=report.run_id,
        sync="people",
        workspace="main",
        started_at=report.started_at,
        since=0,
    )
    moved = int(report.started_at.timestamp()) if status is Status.COMPLETED else None
    return close_run(
        store,
        report,
        root_run_id=report.run_id,
        workspace="main",
        failed_rows=batches_of(rows),
        new_last_sync_time=moved,
    )


def kinds(webhook: Webhook) -> list[str]:
    """What the webhook was sent, in order."""
    return [body["kind"] for body in webhook.bodies]


@pytest.mark.thorough
def test_a_story_of_runs_sends_no_alert_twice(store: Store, webhook: Webhook) -> None:
    """Failing, failing, some rows failed twice, well, well: three alerts and one recovery."""
    story: list[tuple[Status, tuple[str, ...]]] = [
        (Status.FAILED, ()),
        (Status.FAILED, ()),
        (Status.SOME_ROWS_FAILED, ("email_valid", "email_valid")),
        (Status.SOME_ROWS_FAILED, ("email_valid", "identifier_present")),
        (Status.COMPLETED, ()),
        (Status.COMPLETED, ()),
    ]
    for number, (status, reasons) in enumerate(story):
        report = run(store, number, status, reasons=reasons, exit_code=3, message="no answer.")
        alerted = send_alerts([SYNC], channels(), store=store, now=report.started_at)
        assert () == alerted.warnings
    assert ["failure", "some_rows_failed", "some_rows_failed", "recovery"] == kinds(webhook)
    assert {"reason": "email_valid", "rows": 2} == webhook.bodies[1]["reasons"][0]
    assert "planted" not in str(webhook.bodies)


def test_what_could_not_be_sent_is_a_warning_and_is_sent_later(store: Store, webhook: Webhook) -> None:
    """Not at once again, for the channel has trouble; after five minutes, also when no run came since."""
    run(store, 1, Status.FAILED, exit_code=3)
    webhook.answers.append((503, {}, ""))
    (warning,) = send_alerts([SYNC], channels(), store=store, now=NOON).warnings
    assert "an alert of people was not sent: notify.team (webhook): the answer was HTTP 503." == warning
    assert () == send_alerts([SYNC], channels(), store=store, now=NOON + timedelta(minutes=1)).sent
    assert 1 == len(send_alerts([SYNC], channels(), store=store, now=NOON + TRY_AGAIN_AFTER).sent)
    assert () == send_alerts([SYNC], channels(), store=store, now=NOON + TRY_AGAIN_AFTER).sent
    assert 2 == len(webhook.posts)


def test_an_unset_variable_is_a_warning(store: Store, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """As is everything else that keeps an alert from being sent."""
    monkeypatch.delenv("WEBHOOK_URL")
    report = run(store, 1, Status.FAILED, exit_code=3)
    (warning,) = after_run(report, SYNC, channels=channels(), store=store)
    assert "WEBHOOK_URL is not set" in warning


def test_one_of_many_tells_it(store: Store, webhook: Webhook) -> None:
    """Eight who look at the same moment, as runs and the sensor may: one alert."""
    run(store, 1, Status.FAILED, exit_code=3)
    with ThreadPoolExecutor(8) as threads:
        alerted = list(threads.map(lambda _: send_alerts([SYNC], channels(), store=store, now=NOON), range(8)))
    assert ["failure"] == kinds(webhook)
    assert [()] == list({alerted.warnings for alerted in alerted})


def test_a_teller_that_died_is_followed_by_another(store: Store, webhook: Webhook) -> None:
    """The turn that it took ends after two minutes: the alert is late, not lost."""
    from reverse_etl.state.alerts import RESERVED_FOR, claim

    run(store, 1, Status.FAILED, exit_code=3)
    assert "" == claim(store, "team", sync="people", now=NOON)
    assert () == send_alerts([SYNC], channels(), store=store, now=NOON + RESERVED_FOR - timedelta(seconds=1)).sent
    assert 1 == len(send_alerts([SYNC], channels(), store=store, now=NOON + RESERVED_FOR).sent)


def test_skips_in_a_row_are_counted_from_the_last_run_that_ended(store: Store, webhook: Webhook) -> None:
    """Three skips after a run; the next completed run ends it."""
    run(store, 0, Status.COMPLETED)
    for number in (1, 2, 3):
        record_skipped(store, "people", "main", NOON + number * HOUR, "other")
        send_alerts([SYNC], channels(on=NOT_STALE), store=store, now=NOON + number * HOUR)
    assert ["skipped"] == kinds(webhook)
    assert "Run other was in progress." == webhook.bodies[0]["message"]
    run(store, 4, Status.COMPLETED, at=NOON + 4 * HOUR)
    assert 0 == facts_of(store, ["people"])["people"].skipped_in_a_row
    send_alerts([SYNC], channels(), store=store, now=NOON + 4 * HOUR)
    assert ["skipped", "recovery"] == kinds(webhook)


def test_staleness_is_an_alert_when_no_run_is(store: Store, webhook: Webhook) -> None:
    """Two intervals after the last delivery, and once."""
    run(store, 0, Status.COMPLETED)
    assert () == send_alerts([SYNC], channels(), store=store, now=NOON + 2 * HOUR).sent
    for minutes in (1, 2):
        send_alerts([SYNC], channels(), store=store, now=NOON + 2 * HOUR + minutes * timedelta(minutes=1))
    assert ["stale"] == kinds(webhook)
    assert "people is stale: its last delivery was 2h ago" == webhook.bodies[0]["headline"]


def test_a_channel_of_other_syncs_gets_no_alert(store: Store, webhook: Webhook) -> None:
    """`syncs` names whose alerts a channel gets."""
    report = run(store, 1, Status.FAILED, exit_code=3)
    assert () == after_run(report, SYNC, channels=channels(syncs=["orders"]), store=store)
    assert [] == webhook.posts
    after_run(report, SYNC, channels=channels(on=NOT_STALE, syncs=["orders", "people"]), store=store)
    assert ["failure"] == kinds(webhook)


def test_canceled_runs_and_those_in_progress_send_no_alert(store: Store, webhook: Webhook) -> None:
    """It was wanted; what was sent before stays open."""
    after_run(run(store, 1, Status.FAILED, exit_code=3), SYNC, channels=channels(on=NOT_STALE), store=store)
    after_run(run(store, 2, Status.CANCELED, exit_code=1), SYNC, channels=channels(on=NOT_STALE), store=store)
    begin_run(store, "r3", root_run_id="r3", sync="people", workspace="main", started_at=NOON + HOUR, since=0)
    assert () == send_alerts([SYNC], channels(on=NOT_STALE), store=store, now=NOON + HOUR).sent
    assert ["failure"] == kinds(webhook)


def test_a_defect_in_telling_is_a_warning(store: Store, webhook: Webhook) -> None:
    """What was sent is not readable: that fails no run."""
    import sqlalchemy as sa

    from reverse_etl.state.schema import ALERT

    with store.writing() as connection:
        connection.execute(sa.insert(ALERT).values(channel="team", sync="people", sent="not JSON"))
    (warning,) = after_run(run(store, 1, Status.FAILED, exit_code=3), SYNC, channels=channels(), store=store)
    assert "alerts of people were not sent: JSONDecodeError" in warning
