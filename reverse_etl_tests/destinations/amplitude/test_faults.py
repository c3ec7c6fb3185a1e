"""Amplitude in trouble."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final

import pyarrow as pa

from reverse_etl.destinations.amplitude import cohort
from reverse_etl.destinations.amplitude.destination import opened
from reverse_etl.destinations.base import Destination
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl_tests.destinations.amplitude.configs import MEMBERS, project, sync
from reverse_etl_tests.destinations.services import Fault, ServiceFaults
from reverse_etl_tests.servers.saas import RunningStandin

OWN: Final[tuple[Fault, ...]] = (
    {"own": "throttled", "details": {"every": 2}},
    {"own": "ingested_fewer", "details": {"missing": 2}},
    {"own": "unnamed", "details": {"ids": ["user-1"]}},
    {"own": "invalid", "details": {"ids": ["user-1"]}},
    {"own": "daily_quota", "details": {"ids": ["user-0"]}},
    {"status": 413},
    {"status": 403},
)  # fmt: skip
REFUSALS: Final = frozenset({"invalid", "invalid_field", "daily_quota", "not_ingested", "too_large", "blocked"})


class TestUserProperties(ServiceFaults):
    """Properties of users; setting them twice is setting them once."""

    name: ClassVar[str] = "amplitude"
    path: ClassVar[str] = "/batch"
    own: ClassVar[tuple[Fault, ...]] = OWN
    lossy: ClassVar[tuple[Fault, ...]] = OWN[1:2]
    refusals: ClassVar[frozenset[str]] = REFUSALS

    def open(self, url: str, clock: Clock) -> AbstractAsyncContextManager[Destination]:
        """Five users a request."""
        return opened(sync(), project(url, max_items_per_request=5), clock=clock)

    def rows(self, count: int) -> pa.RecordBatch:
        """Users with a score."""
        return pa.record_batch({"user_id": [f"user-{n}" for n in range(count)], "score": [*range(count)]})

    def held(self, standin: RunningStandin) -> Counter[tuple[str, Any]]:
        """Users by their ids."""
        users = standin.records("users", limit=1_000)
        return Counter((user["user_id"], user["properties"].get("score")) for user in users)

    def wanted(self, batch: pa.RecordBatch) -> list[tuple[str, Any]]:
        """Ids and scores."""
        return [(row["user_id"], row["score"]) for row in batch.to_pylist()]


class TestEvents(ServiceFaults):
    """Events, which Amplitude counts once by their ``insert_id``."""

    name: ClassVar[str] = "amplitude"
    path: ClassVar[str] = "/batch"
    own: ClassVar[tuple[Fault, ...]] = OWN
    lossy: ClassVar[tuple[Fault, ...]] = OWN[1:2]
    refusals: ClassVar[frozenset[str]] = REFUSALS

    def open(self, url: str, clock: Clock) -> AbstractAsyncContextManager[Destination]:
        """Five events a request."""
        section = sync(send="events", event_type="order_placed")
        return opened(section, project(url, max_items_per_request=5), clock=clock)

    def rows(self, count: int) -> pa.RecordBatch:
        """Orders of two users."""
        users = [f"user-{n % 2}" for n in range(count)]
        times = [1_790_000_000 + n for n in range(count)]
        return pa.record_batch({"user_id": users, "occurred_at": times, "order": [*range(count)]})

    def held(self, standin: RunningStandin) -> Counter[tuple[str, Any]]:
        """Events by user and number."""
        events = standin.records("events", limit=1_000)
        return Counter((event["user_id"], event["event_properties"]["order"]) for event in events)

    def wanted(self, batch: pa.RecordBatch) -> list[tuple[str, Any]]:
        """Users and numbers."""
        return [(row["user_id"], row["order"]) for row in batch.to_pylist()]


class TestMembers(ServiceFaults):
    """Members of a cohort; adding one twice is adding one once."""

    name: ClassVar[str] = "amplitude"
    path: ClassVar[str] = "/api/3/cohorts/membership"
    own: ClassVar[tuple[Fault, ...]] = ({"own": "results_missing"}, {"own": "results_of_others"}, {"status": 413})
    lossy: ClassVar[tuple[Fault, ...]] = own[:2]
    refusals: ClassVar[frozenset[str]] = frozenset({"too_large"})
    scenarios: ClassVar[int] = 40

    def open(self, url: str, clock: Clock) -> AbstractAsyncContextManager[Destination]:
        """Five members a request."""
        return cohort.opened(sync(**MEMBERS), project(url, max_ids_per_request=5), ["user_id"], clock=clock)

    def set_up(self, standin: RunningStandin) -> None:
        """Amplitude knows the users."""
        standin.put("users", *({"user_id": f"user-{n}"} for n in range(30)))

    def rows(self, count: int) -> pa.RecordBatch:
        """Users."""
        return pa.record_batch({"user_id": [f"user-{n}" for n in range(count)]})

    def held(self, standin: RunningStandin) -> Counter[tuple[str, Any]]:
        """The members of every cohort."""
        found = standin.records("cohorts")
        return Counter((member, None) for each in found for member in each["members"])

    def wanted(self, batch: pa.RecordBatch) -> list[tuple[str, Any]]:
        """Ids."""
        return [(user_id, None) for user_id in batch.column("user_id").to_pylist()]
