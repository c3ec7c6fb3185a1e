"""The jobs of the stand-in for BigQuery: what jobs.insert, jobs.get, jobs.getQueryResults and datasets.get answer.

HTTP and logging in are ``bigquery``.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb
import pyarrow as pa

from reverse_etl_tests.servers._bigquery_sql import LOCATION, Analyzed, RefusedError, Warehouse, rows_as_json

PROJECT = "shop-project"
NO_JOBS = f"no-jobs@{PROJECT}.iam.gserviceaccount.com"
NO_DATASET = f"no-dataset@{PROJECT}.iam.gserviceaccount.com"
HIDDEN = frozenset({"hidden"})

_PAGE_BYTES: Final = 10_000_000
"""Source: cloud.google.com/bigquery/docs/paging-results, 10 MB a page."""


@dataclass(slots=True)
class Faults:
    """What goes wrong, until it is set back.

    Attributes:
        hold: Jobs do not begin.
        silent: No page of a result is answered.
        unanswered: So many jobs begin without saying so.
        cut: So many answers with rows break off in the middle.
        refuse: The next answers to paths that match, each once.
        fail: Errors that jobs end with.
    """

    hold: threading.Event = field(default_factory=threading.Event)
    silent: threading.Event = field(default_factory=threading.Event)
    unanswered: int = 0
    cut: int = 0
    refuse: list[tuple[str, RefusedError]] = field(default_factory=list)
    fail: list[RefusedError] = field(default_factory=list)


@dataclass(slots=True)
class Job:
    """One query."""

    id: str
    configuration: dict[str, Any]
    analyzed: Analyzed
    cursor: duckdb.DuckDBPyConnection
    rows: pa.Table | None = None
    error: RefusedError | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    canceled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ends the query, wherever it is."""
        self.canceled.set()
        with suppress(duckdb.ConnectionException):  # closed when the query has ended
            self.cursor.interrupt()


class Jobs:
    """Every job of one project.

    Attributes:
        begun: By their ids; dry runs are none.
        faults: May be replaced at any time.
    """

    def __init__(self) -> None:
        self.warehouse = Warehouse(PROJECT, HIDDEN)
        self.faults = Faults()
        self.begun: dict[str, Job] = {}

    def job(self, name: str) -> Job:
        """A job by its id."""
        if name not in self.begun:
            raise RefusedError(404, "notFound", f"Not found: Job {PROJECT}:{name}")
        return self.begun[name]

    def cancel(self, job: Job) -> dict[str, Any]:
        """jobs.cancel."""
        job.cancel()
        return {"kind": "bigquery#jobCancelResponse", "job": self.resource(job)}

    def insert(self, project: str, account: str, body: dict[str, Any], *, drive: bool) -> dict[str, Any]:
        """jobs.insert."""
        if project != PROJECT or account == NO_JOBS:
            message = f"Access Denied: Project {project}: User does not have bigquery.jobs.create permission"
            raise RefusedError(403, "accessDenied", f"{message} in project {project}.")
        configuration = body["configuration"]
        query = configuration["query"]
        if "shelved" in query["query"] and not drive:
            message = "Access Denied: BigQuery BigQuery: Permission denied while getting Drive credentials."
            raise RefusedError(403, "accessDenied", message)
        dataset = query.get("defaultDataset", {}).get("datasetId")
        analyzed = self.warehouse.analyze(query["query"], dataset)
        read = str(10_485_760 if " planted" in query["query"] else 0)
        if configuration.get("dryRun"):
            statistics = {"statementType": analyzed.statement, "schema": {"fields": list(analyzed.fields)}}
            reference = {"projectId": PROJECT, "location": LOCATION}
            return _resource(reference, configuration, {"state": "DONE"}, statistics | {"totalBytesProcessed": read})
        if int(query.get("maximumBytesBilled", read)) < int(read):
            message = (
                f"Query exceeded limit for bytes billed: {query['maximumBytesBilled']}. {read} or higher required."
            )
            raise RefusedError(400, "bytesBilledLimitExceeded", message)
        name = body["jobReference"]["jobId"]
        if name in self.begun:
            raise RefusedError(409, "duplicate", f"Already Exists: Job {PROJECT}:{LOCATION}.{name}")
        job = Job(name, configuration, analyzed, self.warehouse.cursor())
        self.begun[name] = job
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        if self.faults.unanswered:
            self.faults.unanswered -= 1
            raise RefusedError(503, "backendError", "The answer was lost.")
        return self.resource(job)

    def _run(self, job: Job) -> None:
        end = time.monotonic() + int(job.configuration.get("jobTimeoutMs", 10**9)) / 1000
        with closing(job.cursor):
            try:
                job.error = self._held(job, end) or (self.faults.fail.pop(0) if self.faults.fail else None)
                if job.error is None:
                    job.rows = self.warehouse.run(job.analyzed, job.cursor)
            except RefusedError as error:
                job.error = error
            finally:
                if job.rows is None and job.error is None:
                    job.error = RefusedError(400, "standInFailed", "see the thread's traceback")
                job.ended.set()

    def _held(self, job: Job, end: float) -> RefusedError | None:
        while self.faults.hold.is_set() and not job.canceled.is_set():
            if time.monotonic() >= end:
                return RefusedError(499, "stopped", "Job execution was cancelled: Job timed out")
            time.sleep(0.01)
        if job.canceled.is_set():
            return RefusedError(499, "stopped", "Job execution was cancelled: User requested cancellation")
        return None

    def resource(self, job: Job) -> dict[str, Any]:
        """A job as jobs.get says it."""
        status: dict[str, Any] = {"state": "DONE" if job.ended.is_set() else "RUNNING"}
        if job.error is not None:
            status["errorResult"] = {"reason": job.error.reason, "message": job.error.message}
            status["errors"] = [status["errorResult"]]
        configuration = json.loads(json.dumps(job.configuration))
        configuration["query"]["destinationTable"] = {
            "projectId": PROJECT,
            "datasetId": "_results",
            "tableId": f"anon_{job.id}",
        }
        reference = {"projectId": PROJECT, "location": LOCATION, "jobId": job.id}
        return _resource(reference, configuration, status, {"statementType": job.analyzed.statement})

    def results(self, job: Job, asked: dict[str, str]) -> dict[str, Any]:
        """jobs.getQueryResults: waits for the job, then gives one page."""
        reference = {"projectId": PROJECT, "location": LOCATION, "jobId": job.id}
        if not job.ended.wait(int(asked.get("timeoutMs", 10_000)) / 1000):
            return {"jobReference": reference, "jobComplete": False}
        if job.error is not None:
            raise job.error
        assert job.rows is not None
        head = {"jobReference": reference, "jobComplete": True, "schema": {"fields": list(job.analyzed.fields)}}
        return head | self.page(job.rows, job.analyzed, asked)

    def page(self, rows: pa.Table, analyzed: Analyzed, asked: dict[str, str]) -> dict[str, Any]:
        """One page of a table, at most ``_PAGE_BYTES``."""
        while self.faults.silent.is_set():
            time.sleep(0.01)
        start = int(asked.get("pageToken") or asked.get("startIndex") or 0)
        fitting = max(1, rows.num_rows * _PAGE_BYTES // max(1, rows.nbytes))
        count = min(int(asked.get("maxResults") or fitting), fitting)
        page: dict[str, Any] = {"totalRows": str(rows.num_rows)}
        if "maxResults" not in asked or asked["maxResults"] != "0":
            page["rows"] = rows_as_json(rows.slice(start, count), analyzed.fields)
            if start + count < rows.num_rows:
                page["pageToken"] = str(start + count)
        return page

    def dataset(self, account: str, name: str) -> dict[str, Any]:
        """datasets.get."""
        if account == NO_DATASET:
            message = f"Access Denied: Dataset {PROJECT}:{name}: Permission bigquery.datasets.get denied"
            raise RefusedError(403, "accessDenied", message)
        if not self.warehouse.has(name):
            raise RefusedError(404, "notFound", f"Not found: Dataset {PROJECT}:{name}")
        return {"datasetReference": {"projectId": PROJECT, "datasetId": name}, "location": LOCATION}


def _resource(
    reference: dict[str, str], configuration: dict[str, Any], status: dict[str, Any], query: dict[str, Any]
) -> dict[str, Any]:
    return {
        "kind": "bigquery#job",
        "jobReference": reference,
        "configuration": configuration,
        "status": status,
        "statistics": {"creationTime": "1", "startTime": "1", "query": query},
    }
