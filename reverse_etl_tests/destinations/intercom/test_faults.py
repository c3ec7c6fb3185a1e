"""Intercom in trouble."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final

import pyarrow as pa

from reverse_etl.destinations.base import Destination
from reverse_etl.destinations.intercom.destination import opened
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl_tests.destinations.intercom.configs import sync, workspace
from reverse_etl_tests.destinations.services import Fault, ServiceFaults
from reverse_etl_tests.servers.saas import RunningStandin

LIMITED: Final[tuple[Fault, ...]] = (
    {"own": "rate_limited"},
    {"own": "rate_limited", "details": {"reset_in_s": -5}},
)
ENDS: Final[tuple[Fault, ...]] = ({"own": "token_expired"}, {"own": "plan_restricted"})


class Contacts(ServiceFaults):
    """Contacts with a score."""

    name: ClassVar[str] = "intercom"
    scenarios: ClassVar[int] = 60
    path: ClassVar[str] = "/contacts"
    own: ClassVar[tuple[Fault, ...]] = (*LIMITED, {"own": "conflict_without_id"})
    ends: ClassVar[tuple[Fault, ...]] = ENDS
    write: ClassVar[str] = "add_and_update"

    def open(self, url: str, clock: Clock) -> AbstractAsyncContextManager[Destination]:
        """One contact a request, as Intercom wants it."""
        return opened(sync(write=self.write), workspace(url), ["external_id", "score"], clock=clock)

    def rows(self, count: int) -> pa.RecordBatch:
        """Contacts with a score."""
        return pa.record_batch(
            {"external_id": [f"c{n}" for n in range(count)], "score": [n + 0.5 for n in range(count)]}
        )

    def held(self, standin: RunningStandin) -> Counter[tuple[str, Any]]:
        """Contacts by their ids."""
        found = standin.records("contacts", limit=1_000)
        return Counter((each["external_id"], each["custom_attributes"].get("score")) for each in found)

    def wanted(self, batch: pa.RecordBatch) -> list[tuple[str, Any]]:
        """Ids and scores."""
        return [(row["external_id"], row["score"]) for row in batch.to_pylist()]


class TestContacts(Contacts):
    """A repeat meets the contact that it made."""


class TestAddOnly(Contacts):
    """What was made without an answer is no other's."""

    write: ClassVar[str] = "add_only"


class TestCompanies(ServiceFaults):
    """Companies by their ids."""

    name: ClassVar[str] = "intercom"
    scenarios: ClassVar[int] = 60
    path: ClassVar[str] = "/companies"
    own: ClassVar[tuple[Fault, ...]] = (*LIMITED, {"own": "unique_company_constraint"})
    ends: ClassVar[tuple[Fault, ...]] = ENDS

    def open(self, url: str, clock: Clock) -> AbstractAsyncContextManager[Destination]:
        """One company a request, as Intercom wants it."""
        return opened(sync(object="companies"), workspace(url), ["company_id", "seats"], clock=clock)

    def rows(self, count: int) -> pa.RecordBatch:
        """Companies with seats."""
        return pa.record_batch({"company_id": [f"c{n}" for n in range(count)], "seats": [*range(count)]})

    def held(self, standin: RunningStandin) -> Counter[tuple[str, Any]]:
        """Companies by their ids."""
        found = standin.records("companies", limit=1_000)
        return Counter((each["company_id"], each["custom_attributes"].get("seats")) for each in found)

    def wanted(self, batch: pa.RecordBatch) -> list[tuple[str, Any]]:
        """Ids and seats."""
        return [(row["company_id"], row["seats"]) for row in batch.to_pylist()]
