"""Rows delivered to services, by the settings as shipped where no other is named, to stand-ins that answer after 50 ms.

    python -m reverse_etl_tests.benchmarks.services [NAME ...] [--rows N]

A stand-in is a process of its own, and limits as the service documents it; ``--rows`` is of Salesforce's jobs. Printed
are rows/s of ``deliver``, the share of the limit where a limit is the aim, and this side's processor time. The rate is
shared through a state database, as in a run. A job is measured against a bare client that sends the same CSV, asks
twenty times a second whether the job has ended, and reads both results: its time is the stand-in's own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from reverse_etl.changeset.parts import Parts, with_row_numbers
from reverse_etl.delivery.deliver import Delivered, deliver
from reverse_etl.destinations import amplitude, hubspot, intercom, salesforce
from reverse_etl.destinations.base import Destination
from reverse_etl.state.rate_slots import RateSlots
from reverse_etl.state.store import open_store
from reverse_etl_tests.destinations.amplitude import configs as of_amplitude
from reverse_etl_tests.destinations.hubspot import configs as of_hubspot
from reverse_etl_tests.destinations.intercom import configs as of_intercom
from reverse_etl_tests.destinations.salesforce import configs as of_salesforce
from reverse_etl_tests.servers.saas import RunningStandin, running_standin

DELAY_S: Final = 0.05
JOB_ROWS: Final = 100_000
BATCH_ROWS: Final = 25_000
_POLL_S: Final = 0.05

_Opened = AbstractAsyncContextManager[Destination]


@dataclass(frozen=True)
class Case:
    """One line.

    Attributes:
        name: What it is called.
        service: The stand-in's name.
        rows: How many.
        columns: Rows by their numbers.
        opens: The destination at an address, for columns of these names.
        settings: Of the stand-in.
        limit: Rows/s that the rate limit lets through, where it is the aim to reach it.
        least: Rows/s that are the aim.
        is_job: Whether a bare client's time for the same job is the aim.
        is_there: The kind of record that the service has already, one for each row.
    """

    name: str
    service: str
    rows: int
    columns: Callable[[range], dict[str, Any]]
    opens: Callable[[str, list[str]], _Opened]
    settings: dict[str, Any] = field(default_factory=dict)
    limit: float | None = None
    least: float | None = None
    is_job: bool = False
    is_there: str = ""


def _accounts(numbers: range) -> dict[str, Any]:
    keys = [f"C{n}" for n in numbers]
    return {"Customer_No__c": keys, "Name": [f"Acme {n}" for n in numbers], "AnnualRevenue": [*numbers]}


def _people(numbers: range) -> dict[str, Any]:
    keys = [f"c{n}" for n in numbers]
    return {"customer_no": keys, "email": [f"{key}@example.com" for key in keys], "firstname": ["Ada"] * len(keys)}


def _contacts(numbers: range) -> dict[str, Any]:
    return {"external_id": [f"c{n}" for n in numbers], "score": [n + 0.5 for n in numbers]}


def _users(numbers: range) -> dict[str, Any]:
    plans = ["free" if n % 3 else "pro" for n in numbers]
    return {"user_id": [f"user-{n}" for n in numbers], "plan": plans, "score": [*numbers]}


def _orders(numbers: range) -> dict[str, Any]:
    times = [1_790_000_000 + n for n in numbers]
    return {"user_id": [f"user-{n % 9_000}" for n in numbers], "occurred_at": times, "total": [n / 4 for n in numbers]}


def _shipped(config: Any, name: str = "requests_per_second") -> Any:
    return config.model_fields[name].default


def _salesforce(via: str) -> Callable[[str, list[str]], _Opened]:
    rate = _shipped(salesforce.Config)
    return lambda url, names: salesforce.open_destination(
        of_salesforce.sync(via=via), of_salesforce.org(url, requests_per_second=rate), names
    )


def _hubspot(rate: float) -> Callable[[str, list[str]], _Opened]:
    return lambda url, names: hubspot.open_destination(
        of_hubspot.sync(), of_hubspot.account(url, requests_per_second=rate), names
    )


def _intercom(rate: float) -> Callable[[str, list[str]], _Opened]:
    return lambda url, names: intercom.open_destination(
        of_intercom.sync(), of_intercom.workspace(url, requests_per_second=rate), names
    )


def _amplitude(**section: Any) -> Callable[[str, list[str]], _Opened]:
    rate = _shipped(amplitude.Config)
    return lambda url, names: amplitude.open_destination(
        of_amplitude.sync(**section), of_amplitude.project(url, requests_per_second=rate), names
    )


def cases(job_rows: int) -> list[Case]:
    """All lines. HubSpot's limit and Intercom's are those of ten seconds: as shipped, and of a larger plan."""
    a_request = _shipped(hubspot.Config, "max_items_per_request")
    few, many, calls = _shipped(hubspot.Config), 19.0, _shipped(intercom.Config)
    events = {"send": "events", "event_type": "order_placed"}
    shipped, larger = {"calls_in_ten_seconds": 100}, 166.0
    return [
        Case("Salesforce, collections", "salesforce", 50_000, _accounts, _salesforce("collections"), least=2_500),
        Case("Salesforce, Bulk", "salesforce", job_rows, _accounts, _salesforce("bulk"), is_job=True),
        Case("HubSpot, as shipped", "hubspot", 9_000, _people, _hubspot(few), shipped, few * a_request),
        Case("HubSpot, 190 calls", "hubspot", 50_000, _people, _hubspot(many), {}, many * a_request),
        Case("Intercom, as shipped", "intercom", 1_500, _contacts, _intercom(calls), {}, calls),
        Case("Intercom, 1,660 calls", "intercom", 2_500, _contacts, _intercom(larger), {}, larger),
        Case("Intercom, 2 calls", "intercom", 750, _contacts, _intercom(calls), limit=calls / 2, is_there="contacts"),
        Case("Amplitude, user properties", "amplitude", 200_000, _users, _amplitude(), least=20_000),
        Case("Amplitude, events", "amplitude", 200_000, _orders, _amplitude(**events), least=20_000),
    ]  # fmt: skip


def _batches(case: Case) -> Iterator[pa.RecordBatch]:
    for start in range(0, case.rows, BATCH_ROWS):
        yield pa.RecordBatch.from_pydict(case.columns(range(start, min(start + BATCH_ROWS, case.rows))))


def measure(case: Case, folder: Path) -> None:
    """Delivers once and prints the line."""
    parts = Parts(folder / "rows", "rows")
    parts.write(with_row_numbers(_batches(case)))
    url = f"sqlite:///{folder / 'state.db'}"
    open_store(url)
    pace = RateSlots(url, case.service)
    with running_standin(case.service, **case.settings) as standin:
        if case.is_there:
            [key, *_] = case.columns(range(0))
            standin.put(case.is_there, *({key: each} for each in case.columns(range(case.rows))[key]))
        standin.faults({"do": {"delay_s": DELAY_S}, "always": True})

        async def run() -> tuple[float, float, Delivered]:
            async with case.opens(standin.url, [*case.columns(range(0))]) as destination:
                await destination.prepare()
                began, worked = time.perf_counter(), time.process_time()
                delivered = await deliver(parts, parts.outcomes(case.rows), destination, reserve=pace.reserve)
                return time.perf_counter() - began, time.process_time() - worked, delivered

        took_s, worked_s, delivered = asyncio.run(run())
        refused = sum(about["statuses"].get("429", 0) for about in standin.requests_by_path().values())
    if delivered.counts.delivered != case.rows:
        sys.exit(f"{case.name}: {delivered.counts} instead of {case.rows:,} rows delivered")
    per_s = case.rows / took_s
    aim = _aim(case, per_s, took_s)
    print(
        f"{case.name}: {case.rows:,} rows, {per_s:,.0f} rows/s ({took_s:.2f} s{aim}), "
        f"{worked_s / case.rows * 1e6:.1f} us of CPU a row, {delivered.requests:,} requests, {refused} answers 429, "
        f"load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def _aim(case: Case, per_s: float, took_s: float) -> str:
    if case.limit is not None:
        return f"; {per_s / case.limit:.1%} of {case.limit:,.0f}, at least 95 % is asked"
    if case.least is not None:
        return f"; at least {case.least:,.0f} are asked"
    bare_s = bare_job(case)
    return f"; {took_s / bare_s:.2f} times a bare client's {bare_s:.2f} s, at most 2 is asked"


def bare_job(case: Case) -> float:
    """Seconds of a client that does nothing but send one job and read its results."""
    columns = [pa.Table.from_batches(_batches(case)).column(at).to_pylist() for at in range(3)]
    lines = "".join(f"{key},{name},{value}\n" for key, name, value in zip(*columns, strict=True))
    csv = f"{','.join(case.columns(range(0)))}\n{lines}".encode()
    with running_standin(case.service, **case.settings) as standin:
        standin.faults({"do": {"delay_s": DELAY_S}, "always": True})
        credentials = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox"}
        token = standin.http.post("/services/oauth2/token", data=credentials).json()["access_token"]
        began = time.perf_counter()
        _send_job(standin, {"authorization": f"Bearer {token}"}, csv)
        return time.perf_counter() - began


def _send_job(standin: RunningStandin, headers: dict[str, str], csv: bytes) -> None:
    jobs = "/services/data/v66.0/jobs/ingest"
    asked = {
        "object": "Account", "operation": "upsert", "externalIdFieldName": "Customer_No__c", "contentType": "CSV",
        "lineEnding": "LF",
    }  # fmt: skip
    job = f"{jobs}/{standin.http.post(jobs, json=asked, headers=headers).raise_for_status().json()['id']}"
    as_csv = {**headers, "content-type": "text/csv"}
    standin.http.put(f"{job}/batches", content=csv, headers=as_csv, timeout=None).raise_for_status()
    standin.http.patch(job, json={"state": "UploadComplete"}, headers=headers).raise_for_status()
    while (found := standin.http.get(job, headers=headers, timeout=None).json())["state"] != "JobComplete":
        if found["state"] in ("Failed", "Aborted"):
            sys.exit(f"the bare client's job is {found['state']}")
        time.sleep(_POLL_S)
    for which in ("successfulResults", "failedResults"):
        standin.http.get(f"{job}/{which}", headers=headers, timeout=None).raise_for_status()


def main(arguments: list[str] | None = None) -> None:
    """Prints one line a case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("services", nargs="*")
    parser.add_argument("--rows", type=int, default=JOB_ROWS)
    given = parser.parse_args(arguments)
    for case in cases(given.rows):
        if given.services and not any(each.lower() in case.name.lower() for each in given.services):
            continue
        with tempfile.TemporaryDirectory() as folder:
            measure(case, Path(folder))


if __name__ == "__main__":
    main()
