"""HubSpot in trouble."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final

import pyarrow as pa

from reverse_etl.destinations.base import Destination
from reverse_etl.destinations.hubspot.destination import opened
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl_tests.destinations.hubspot.configs import account, sync
from reverse_etl_tests.destinations.services import Fault, ServiceFaults
from reverse_etl_tests.servers.saas import RunningStandin

OWN: Final[tuple[Fault, ...]] = (
    {"own": "missing_results"},
    {"own": "untraced_results"},
    {"own": "empty"},
    {"own": "untraced_errors", "details": {"ids": ["c1", "c7"]}},
    {"own": "refuse", "details": {"ids": ["c2"]}},
    {"own": "refuse", "details": {"ids": ["c3"], "category": "RATE_LIMITS"}},
    {"own": "warnings"},
    {"own": "ten_second_limit"},
    {"own": "locked"},
    {"own": "migrating"},
    {"own": "conflict"},
    {"status": 413},
)  # fmt: skip
ENDS: Final[tuple[Fault, ...]] = ({"own": "daily_limit"}, {"status": 401}, {"status": 403})
REFUSALS: Final = frozenset({"validation_error", "rate_limits", "conflict", "too_large", "not_in_list"})


class Contacts(ServiceFaults):
    """Contacts with a score, by their number."""

    name: ClassVar[str] = "hubspot"
    scenarios: ClassVar[int] = 40
    path: ClassVar[str] = "/crm/v3/objects/contacts/batch"
    own: ClassVar[tuple[Fault, ...]] = OWN
    lossy: ClassVar[tuple[Fault, ...]] = OWN[:1]
    ends: ClassVar[tuple[Fault, ...]] = ENDS
    refusals: ClassVar[frozenset[str]] = REFUSALS
    by: ClassVar[str] = "customer_no"
    section: ClassVar[dict[str, Any]] = {}

    def open(self, url: str, clock: Clock) -> AbstractAsyncContextManager[Destination]:
        """Five contacts a request."""
        config = account(url, max_items_per_request=5)
        return opened(sync(identify_by=self.by, **self.section), config, [self.by, "score"], clock=clock)

    def rows(self, count: int) -> pa.RecordBatch:
        """Contacts with different scores."""
        return pa.record_batch({self.by: [self.key(n) for n in range(count)], "score": [*range(1, count + 1)]})

    def held(self, standin: RunningStandin) -> Counter[tuple[str, Any]]:
        """Those with a score."""
        held = (each["properties"] for each in standin.records("contacts", limit=1_000))
        return Counter((each[self.by], int(each["score"])) for each in held if "score" in each)

    def wanted(self, batch: pa.RecordBatch) -> list[tuple[str, Any]]:
        """Keys and scores."""
        return [(row[self.by], row["score"]) for row in batch.to_pylist()]

    def key(self, number: int) -> str:
        """What identifies a contact."""
        return f"c{number}"


class TestUpsert(Contacts):
    """Contacts that are there or not."""


class TestList(Contacts):
    """Contacts that join a list, which is what fails."""

    path: ClassVar[str] = "/crm/v3/lists/42/memberships"
    own: ClassVar[tuple[Fault, ...]] = OWN[7:]
    section: ClassVar[dict[str, Any]] = {"list": {"id": 42}}

    def held(self, standin: RunningStandin) -> Counter[tuple[str, Any]]:
        """Those that are in the list: a row is delivered when its record is a member."""
        [members] = ({*each["members"]} for each in standin.records("lists") if each["listId"] == "42")
        held = (each for each in standin.records("contacts", limit=1_000) if each["id"] in members)
        return Counter((each["properties"][self.by], int(each["properties"]["score"])) for each in held)


class TestAddOnlyToList(TestList):
    """The same of contacts that are only added."""

    section: ClassVar[dict[str, Any]] = {"list": {"id": 42}, "write": "add_only"}


class TestAssociations(Contacts):
    """Contacts that are associated with companies, which is what fails: a row is delivered when both are done."""

    path: ClassVar[str] = "/crm/v4/associations/contacts/companies/batch/create"
    own: ClassVar[tuple[Fault, ...]] = OWN[7:]
    lossy: ClassVar[tuple[Fault, ...]] = ()
    refusals: ClassVar[frozenset[str]] = REFUSALS | {"not_associated"}
    section: ClassVar[dict[str, Any]] = {
        "associate": {"to": "companies", "identify_by": "domain_key", "column": "company", "label": "primary"}
    }

    def open(self, url: str, clock: Clock) -> AbstractAsyncContextManager[Destination]:
        """Five contacts a request."""
        names = [self.by, "score", "company"]
        config = account(url, max_items_per_request=5)
        return opened(sync(identify_by=self.by, **self.section), config, names, clock=clock)

    def set_up(self, standin: RunningStandin) -> None:
        """Three companies."""
        standin.put("companies", *({"domain_key": f"k{n}.io"} for n in range(3)))

    def rows(self, count: int) -> pa.RecordBatch:
        """Contacts of the companies."""
        return super().rows(count).append_column("company", pa.array([f"k{n % 3}.io" for n in range(count)]))

    def held(self, standin: RunningStandin) -> Counter[tuple[str, Any]]:
        """Contacts that have a company, with their scores."""
        contacts = {each["id"]: each["properties"] for each in standin.records("contacts", limit=1_000)}
        related = {each["from"] for each in standin.records("associations", limit=1_000)}
        held = (properties for number, properties in contacts.items() if number in related)
        return Counter((each[self.by], int(each["score"])) for each in held)


class TestAddOnlyWithAssociations(TestAssociations):
    """The same of contacts that are only added."""

    section: ClassVar[dict[str, Any]] = {**TestAssociations.section, "write": "add_only"}


class TestByEmail(Contacts):
    """Contacts of which every second is there, found by their address."""

    by: ClassVar[str] = "email"

    def key(self, number: int) -> str:
        """An address."""
        return f"c{number}@x.io"

    def set_up(self, standin: RunningStandin) -> None:
        """Every second one, without a score."""
        standin.put("contacts", *({"email": self.key(n)} for n in range(0, 23, 2)))


class TestAddOnly(Contacts):
    """Contacts that are not there: what is sent without an answer is ours, and no other is made of it."""

    section: ClassVar[dict[str, Any]] = {"write": "add_only"}


class TestUpdateOnly(Contacts):
    """Contacts that are there."""

    section: ClassVar[dict[str, Any]] = {"write": "update_only"}

    def set_up(self, standin: RunningStandin) -> None:
        """All of them, without a score."""
        standin.put("contacts", *({"customer_no": self.key(n)} for n in range(23)))
