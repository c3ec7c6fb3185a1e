"""Alerts the channels to what is new of some syncs, and remembers it. Whatever goes wrong is a warning in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from reverse_etl.errors import ReverseEtlError
from reverse_etl.notify.alert import Alert, Kind
from reverse_etl.notify.decide import Sent, decide
from reverse_etl.plugins import load
from reverse_etl.report import RunReport, Status
from reverse_etl.settings import TARGET_VARIABLE, value_of
from reverse_etl.state import alerts

if TYPE_CHECKING:
    from reverse_etl.config.notify import ChannelConfig
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.state.store import Store

TRY_AGAIN_AFTER: Final = timedelta(minutes=5)
"""How long a channel that did not take an alert of a sync is left alone with that sync."""


@dataclass(frozen=True, slots=True)
class Alerted:
    """What came of it.

    Attributes:
        sent: The alerts that channels took, each with its channel's name.
        warnings: What could not be sent, and why: sentences.
    """

    sent: tuple[tuple[str, Alert], ...] = ()
    warnings: tuple[str, ...] = ()

    def __add__(self, other: Alerted) -> Alerted:
        return Alerted(self.sent + other.sent, self.warnings + other.warnings)


def send_alerts(
    syncs: Iterable[SyncConfig], channels: Mapping[str, ChannelConfig], *, store: Store, now: datetime | None = None
) -> Alerted:
    """Alerts every channel to what is new of these syncs. Never raises what a user can cause.

    Args:
        syncs: Of these.
        channels: By name.
        store: The history, and what the channels have heard.
        now: Aware; None: by this machine's clock.
    """
    alerted = Alerted()
    chosen = {sync.name: sync for sync in syncs}
    try:
        facts = alerts.facts_of(store, chosen)
        known = alerts.sent_so_far(store)
        for channel in channels.values():
            for name in chosen if channel.syncs is None else [name for name in chosen if name in channel.syncs]:
                at = now or datetime.now(UTC)
                before = Sent.read(known.get((channel.name, name), ""))
                if next(decide(chosen[name], facts[name], on=channel.on, sent=before, now=at), None) is not None:
                    alerted += _alert(channel, chosen[name], store=store, now=at)
    except ReverseEtlError as error:
        alerted += Alerted(warnings=(f"alerts could not be sent: {error}",))
    return alerted


def after_run(
    report: RunReport, sync: SyncConfig, *, channels: Mapping[str, ChannelConfig], store: Store
) -> tuple[str, ...]:
    """Alerts the channels to a run that has ended, and returns warnings. A canceled run causes no alert.

    Nothing that goes wrong here, not even a defect of ours, makes a run fail that did not.
    """
    if not channels or report.status is Status.CANCELED:
        return ()
    try:
        return send_alerts([sync], channels, store=store).warnings
    except Exception as error:
        return (f"alerts of {sync.name} were not sent: {type(error).__name__}, a defect of reverse-etl.",)


def send_test(channel: ChannelConfig) -> str:
    """Sends a test alert and returns a warning, or nothing. Raises AlertNotSentError, UnsetVariableError."""
    alert = Alert(kind=Kind.TEST, sync="", workspace="", headline=f"reverse-etl: a test of {channel.where}")
    return _send(channel, alert)


def _alert(channel: ChannelConfig, sync: SyncConfig, *, store: Store, now: datetime) -> Alerted:
    text = alerts.claim(store, channel.name, sync=sync.name, now=now)
    if text is None:
        return Alerted()
    sent, not_before, alerted = Sent.read(text), None, Alerted()
    try:
        # Read again: before the claim, another process may have sent an alert about a later run.
        facts = alerts.facts_of(store, [sync.name])[sync.name]
        for alert, then in decide(sync, facts, on=channel.on, sent=sent, now=now):
            if alert is not None:
                warning = _send(channel, alert)
                alerted += Alerted(((channel.name, alert),), (warning,) if warning else ())
            sent = then
    except ReverseEtlError as error:
        not_before = now + TRY_AGAIN_AFTER
        alerted += Alerted(warnings=(f"an alert of {sync.name} was not sent: {error}",))
    finally:
        alerts.settle(store, channel.name, sync=sync.name, sent=sent.written(), not_before=not_before)
    return alerted


def _send(channel: ChannelConfig, alert: Alert) -> str:
    warning: str = load("reverse_etl.notify.channels", channel.type).send(
        channel, alert.of_target(value_of(TARGET_VARIABLE))
    )
    return warning
