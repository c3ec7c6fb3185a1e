"""What Prometheus reads of each sync: its last run, its last delivery, and how long it failed or was skipped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily as Gauge
from prometheus_client.registry import Collector

from reverse_etl.errors import ReverseEtlError
from reverse_etl.report import Counts, Status
from reverse_etl.state.in_a_row import InARow

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from reverse_etl.syncs_page.left_out_status import LeftOutStatus
    from reverse_etl.syncs_page.sync_status import SyncStatus

_OF_SYNC: Final = ("sync", "destination")
_LAST: Final = "of the newest run that was not skipped"

Looked = tuple[list["SyncStatus"], dict[str, InARow], list["LeftOutStatus"]]
"""Every sync, how many runs of each failed or were skipped in a row, and those that faulty files leave out."""


@dataclass(frozen=True, slots=True)
class SyncsCollector(Collector):
    """Looks at the syncs each time that Prometheus asks.

    Attributes:
        look: Gives the syncs as they are now.
    """

    look: Callable[[], Looked]

    def collect(self) -> Iterator[Metric]:
        """Every metric; of syncs that cannot be looked at ``reverse_etl_up`` alone, and the reason on stderr."""
        try:
            found, counted, left_out = self.look()
        except ReverseEtlError as error:
            print(error, file=sys.stderr, flush=True)  # noqa: T201
            yield _one("reverse_etl_up", "Whether the syncs and their state could be read.", 0)
            return
        yield _one("reverse_etl_up", "Whether the syncs and their state could be read.", 1)
        yield _one("reverse_etl_read_timestamp_seconds", "When that was.", datetime.now(UTC).timestamp())
        daemon = next((each.daemon for each in found), None)
        if daemon is not None:
            yield _one("reverse_etl_daemon_running", "Whether Dagster's daemon starts due runs.", daemon)
        yield from _of_syncs(found, counted)
        yield _of_left_out(left_out)


def registry_of(look: Callable[[], Looked]) -> CollectorRegistry:
    """What prometheus_client writes or serves; it asks ``look`` each time."""
    registry = CollectorRegistry()
    registry.register(SyncsCollector(look))
    return registry


def _of_syncs(found: list[SyncStatus], counted: dict[str, InARow]) -> Iterable[Metric]:
    from reverse_etl.notify.freshness import age, longest_age

    made: dict[str, Gauge] = {}

    def put(name: str, told: str, of: SyncStatus, value: float | datetime | timedelta | None, **labels: str) -> None:
        name = f"reverse_etl_sync_{name}"
        gauge = made.get(name) or made.setdefault(name, Gauge(name, told, labels=(*_OF_SYNC, *labels)))
        if value is not None:
            gauge.add_metric([of.sync.name, of.sync.destination, *labels.values()], _number(value))

    for each in found:
        run, runs = each.run, counted.get(each.sync.name, InARow())
        put("paused", "Whether due runs are left out.", each, each.word == "paused")
        put("running", "Whether a run is in progress.", each, run is not None and run.status is Status.RUNNING)
        old = age(each.state, each.delivered_at, each.now)
        put("age_seconds", "Since its rows were delivered last, or else since it was first seen.", each, old)
        limit = longest_age(each.sync.schedule, each.now)
        put("stale_after_seconds", "The age from which it is stale: two intervals.", each, limit)
        put("stale", "Whether it is older than that.", each, each.stale)
        put("last_delivered_timestamp_seconds", "When its rows were delivered last.", each, each.delivered_at)
        put("next_run_timestamp_seconds", "When it is due next.", each, each.next_run_at)
        put("failed_runs_in_a_row", "Runs that failed or left failed rows since one completed.", each, runs.failed)
        put("skipped_runs_in_a_row", "Due runs that were skipped since one ended by itself.", each, runs.skipped)
        if run is None:
            continue
        put("last_run_timestamp_seconds", f"The start {_LAST}.", each, run.started_at)
        put("last_run_duration_seconds", f"The length {_LAST}.", each, run.duration_s)
        for status in Status:
            if status is not Status.SKIPPED:
                put(
                    "last_run_status",
                    f"The status {_LAST} is the one with 1.",
                    each,
                    run.status is status,
                    status=status,
                )
        for count, rows in zip(fields(Counts), astuple(run.total), strict=True):
            if count.name != "extracted":
                put("last_run_rows", f"Rows by outcome, {_LAST}.", each, rows, outcome=count.name)
    return made.values()


def _of_left_out(left_out: list[LeftOutStatus]) -> Gauge:
    told = "1 for each sync that a faulty file keeps from running, with the reason."
    gauge = Gauge("reverse_etl_sync_left_out", told, labels=(*_OF_SYNC, "reason"))
    for each in left_out:
        gauge.add_metric([each.name, each.destination, each.why.reason.value if each.why is not None else ""], 1.0)
    return gauge


def _one(name: str, told: str, value: float) -> Gauge:
    return Gauge(name, told, value=float(value))


def _number(value: float | datetime | timedelta) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
