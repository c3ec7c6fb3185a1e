"""Alerts the channels to what is new of some syncs, and remembers it. Whatever goes wrong is a warning in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from reverse_etl.config.left_out import FOR_ALL, LeftOut, Reason
from reverse_etl.errors import ReverseEtlError
from reverse_etl.notify.alert import Alert, Kind
from reverse_etl.notify.decide import OF_FILE, Sent, decide, decide_left_out
from reverse_etl.plugins import load
from reverse_etl.report import RunReport, Status
from reverse_etl.settings import TARGET_VARIABLE, value_of
from reverse_etl.state import alerts

if TYPE_CHECKING:
    from reverse_etl.config.folder_now import FilesFound
    from reverse_etl.config.notify import ChannelConfig, Occasions
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.state.store import Store

TRY_AGAIN_AFTER: Final = timedelta(minutes=5)
"""How long a channel that did not take an alert of a sync is left alone with that sync."""


Due = Callable[[Sent], Iterable[tuple[Alert | None, Sent]]]
"""Gives the alerts that are due, each with what the channel has heard after it, from what it has heard before."""


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


def send_left_out(
    files: FilesFound, channels: Mapping[str, ChannelConfig], *, store: Store, now: datetime | None = None
) -> Alerted:
    """Alerts every channel to syncs that faulty files leave out, or no longer do. Never raises what a user can cause.

    A file that several syncs read is one alert, and so is a folder that one faulty file stops.

    Args:
        files: Of the folder, as they are.
        channels: By name.
        store: What the channels have heard.
        now: Aware; None: by this machine's clock.
    """
    alerted, at = Alerted(), now or datetime.now(UTC)
    there = {*files.syncs, *files.faulty}
    try:
        known = {key: Sent.read(text) for key, text in alerts.sent_so_far(store).items()}
        for channel in channels.values():
            told = sorted(name for (of, name), sent in known.items() if of == channel.name and sent.left_out)
            for name, why in _left_out_now(files, channel.syncs, told).items():
                due = partial(_left_out_due, name, why, channel.on, gone=name not in there)
                before = known.get((channel.name, name), Sent())
                if due(before) != [(None, before)]:
                    alerted += _claimed(channel, name, due, store=store, now=at)
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
    def due(sent: Sent) -> Iterator[tuple[Alert | None, Sent]]:
        # Read again: before the claim, another process may have sent an alert about a later run.
        facts = alerts.facts_of(store, [sync.name])[sync.name]
        return decide(sync, facts, on=channel.on, sent=sent, now=now)

    return _claimed(channel, sync.name, due, store=store, now=now)


def _left_out_now(files: FilesFound, wanted: Collection[str] | None, told: Iterable[str]) -> dict[str, LeftOut | None]:
    """Why runs do not start, None where that is over, by what ``decide_left_out`` calls a name.

    Args:
        files: Of the folder.
        wanted: The syncs of the channel; None for all.
        told: What it has heard of and is not over yet. Of these, only what is over or goes on for sure is returned.
    """
    nothing_known = files.project is None and not files.left_out
    of_folder = next((why for why in files.left_out.values() if why.reason is Reason.FOLDER), None)
    of_all = files.stopped("") if nothing_known else of_folder
    if of_all is not None:
        return {"": of_all}
    mine = {name: why for name, why in files.left_out.items() if wanted is None or name in wanted}
    shared = {
        f"{OF_FILE}{file}": LeftOut(Reason.SHARED_FILE, problem, file)
        for why in mine.values()
        for file, problem in why.shared
    }
    own = {name: why for name, why in mine.items() if why.reason not in FOR_ALL}
    still = {*files.left_out, *shared, *([""] if shared else [])}
    return {**shared, **own, **{name: None for name in told if name not in still}}


def _left_out_due(
    name: str, why: LeftOut | None, on: Occasions, sent: Sent, *, gone: bool
) -> list[tuple[Alert | None, Sent]]:
    return [decide_left_out(name, why, on=on, sent=sent, gone=gone)]


def _claimed(channel: ChannelConfig, name: str, due: Due, *, store: Store, now: datetime) -> Alerted:
    """Sends what is due once no other process may; remembers how far it came."""
    text = alerts.claim(store, channel.name, sync=name, now=now)
    if text is None:
        return Alerted()
    sent, not_before, alerted = Sent.read(text), None, Alerted()
    try:
        for alert, then in due(sent):
            if alert is not None:
                warning = _send(channel, alert)
                alerted += Alerted(((channel.name, alert),), (warning,) if warning else ())
            sent = then
    except ReverseEtlError as error:
        not_before = now + TRY_AGAIN_AFTER
        of = f"an alert of {name.removeprefix(OF_FILE)}" if name else "an alert"
        alerted += Alerted(warnings=(f"{of} was not sent: {error}",))
    finally:
        alerts.settle(store, channel.name, sync=name, sent=sent.written(), not_before=not_before)
    return alerted


def _send(channel: ChannelConfig, alert: Alert) -> str:
    warning: str = load("reverse_etl.notify.channels", channel.type).send(
        channel, alert.of_target(value_of(TARGET_VARIABLE))
    )
    return warning
