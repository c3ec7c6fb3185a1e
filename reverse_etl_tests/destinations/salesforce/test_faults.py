"""Salesforce in trouble."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final

import pyarrow as pa

from reverse_etl.destinations.base import Destination
from reverse_etl.destinations.salesforce.destination import opened
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl_tests.destinations.salesforce.configs import org, sync
from reverse_etl_tests.destinations.services import Fault, ServiceFaults
from reverse_etl_tests.servers.saas import RunningStandin

NAMES: Final = ("Customer_No__c", "Name", "AnnualRevenue")
OWN: Final[tuple[Fault, ...]] = (
    {"own": "missing_results"},
    {"own": "concurrent_limit"},
    {"status": 413},
)
ENDS: Final[tuple[Fault, ...]] = (
    {"own": "not_expiry"},
    {"own": "api_disabled"},
    {"own": "session_expired", "times": 1},
)


class Accounts(ServiceFaults):
    """Accounts by their customer number."""

    name: ClassVar[str] = "salesforce"
    scenarios: ClassVar[int] = 40
    path: ClassVar[str] = "/services/data/v66.0/composite"
    own: ClassVar[tuple[Fault, ...]] = OWN
    lossy: ClassVar[tuple[Fault, ...]] = OWN[:1]
    ends: ClassVar[tuple[Fault, ...]] = ENDS
    refusals: ClassVar[frozenset[str]] = frozenset({"too_large"})
    write: ClassVar[str] = "add_and_update"
    via: ClassVar[str] = "collections"

    def open(self, url: str, clock: Clock) -> AbstractAsyncContextManager[Destination]:
        """Five accounts a request."""
        return opened(sync(write=self.write, via=self.via), org(url, max_records_per_request=5), NAMES, clock=clock)

    def rows(self, count: int) -> pa.RecordBatch:
        """Accounts with a revenue."""
        numbers = [*range(count)]
        keys = [f"C{n}" for n in numbers]
        return pa.record_batch(
            {"Customer_No__c": keys, "Name": [f"Acme {n}" for n in numbers], "AnnualRevenue": numbers}
        )

    def held(self, standin: RunningStandin) -> Counter[tuple[str, Any]]:
        """Accounts by their numbers."""
        accounts = standin.records("Account", limit=1_000)
        return Counter((each["Customer_No__c"], each["AnnualRevenue"]) for each in accounts if self.is_ours(each))

    def wanted(self, batch: pa.RecordBatch) -> list[tuple[str, Any]]:
        """Numbers and revenues."""
        return [(row["Customer_No__c"], row["AnnualRevenue"]) for row in batch.to_pylist()]

    def is_ours(self, account: dict[str, Any]) -> bool:
        """Whether it was written."""
        return not account["IsDeleted"]


class TestUpsert(Accounts):
    """Records that are there or not."""


class TestBulk(Accounts):
    """Records in jobs, which are never sent twice while one may be at work."""

    path: ClassVar[str] = "/services/data/v66.0/jobs"
    own: ClassVar[tuple[Fault, ...]] = ({"own": "job_fails"}, {"own": "job_miscounts"}, {"own": "concurrent_limit"})
    lossy: ClassVar[tuple[Fault, ...]] = ()
    via: ClassVar[str] = "bulk"

    def held(self, standin: RunningStandin) -> Counter[tuple[str, Any]]:
        """Accounts by their numbers, which each job wrote at most once."""
        jobs = [job for job in standin.records("jobs", limit=1_000) if job["state"] == "JobComplete"]
        assert 1 >= len(jobs), "a job was sent again while the first may have been at work"
        return super().held(standin)


class TestAddOnly(Accounts):
    """Records that are not there: what is sent without an answer is ours, and no other is made of it."""

    write: ClassVar[str] = "add_only"


class TestUpdateOnly(Accounts):
    """Records that are there."""

    write: ClassVar[str] = "update_only"

    def set_up(self, standin: RunningStandin) -> None:
        """All of them, without a revenue."""
        rows = self.rows(23).to_pylist()
        standin.put("Account", *({"Customer_No__c": row["Customer_No__c"], "Name": "there"} for row in rows))

    def is_ours(self, account: dict[str, Any]) -> bool:
        """Whether it was written."""
        return account["AnnualRevenue"] is not None
