"""Ingest jobs of Bulk API 2.0: their states, their one CSV and their three results.

Documented: a job is made, given one CSV, closed, and asked for until it has ended; what was sent is in the successful,
failed or unprocessed results, in no promised order; a job that failed or was aborted may have written a part.
Seen by clients: a column whose name is spelt in another case is taken, and comes back without its values; an internal
batch that fails whole may be missing in the job's counters.
"""

from __future__ import annotations

from typing import Any, Final

from reverse_etl.sandbox.faults import Action
from reverse_etl.sandbox.salesforce import csv_text, job_results
from reverse_etl.sandbox.salesforce.columns import heading, rows_of
from reverse_etl.sandbox.salesforce.composite import external_id
from reverse_etl.sandbox.salesforce.ids import id_with_suffix
from reverse_etl.sandbox.salesforce.job import Job
from reverse_etl.sandbox.salesforce.locks import errors_of_fault
from reverse_etl.sandbox.salesforce.org import Org
from reverse_etl.sandbox.salesforce.problems import RequestError, not_found
from reverse_etl.sandbox.salesforce.writing import Operation, write

MOST_BYTES: Final = 112_500_000
"""150 MB after base64, which grows by a third."""
_OPERATIONS: Final[dict[str, Operation]] = {
    "insert": "insert",
    "update": "update",
    "upsert": "upsert",
    "delete": "delete",
    "hardDelete": "delete",
}


class Jobs:
    """The jobs of an org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.clear()

    def clear(self) -> None:
        """Forgets all of them."""
        self.by_id: dict[str, Job] = {}

    def create(self, body: dict[str, Any], version: str) -> Job:
        """A new job.

        Raises:
            RequestError: It is asked for in another way than there is.
        """
        operation, key = body.get("operation"), body.get("externalIdFieldName")
        delimiter, line_ending = body.get("columnDelimiter", "COMMA"), body.get("lineEnding", "LF")
        if operation not in _OPERATIONS or body.get("contentType", "CSV") != "CSV":
            raise _invalid("InvalidJob", f"operation must be one of {', '.join(_OPERATIONS)}, contentType CSV")
        if delimiter not in csv_text.DELIMITERS or line_ending not in csv_text.LINE_ENDINGS:
            raise _invalid("InvalidJob", "columnDelimiter or lineEnding is none that there is")
        if operation == "hardDelete" and not self._org.settings.may_hard_delete:
            raise _invalid("FeatureNotEnabled", "hardDelete operation requires special user profile permission")
        if (operation == "upsert") != (key is not None):
            raise _invalid("InvalidJob", "externalIdFieldName is for upsert, which needs it")
        table = self._org.tables.get(str(body.get("object")).lower())
        if table is None or not table.sobject.writable:
            raise _invalid("InvalidEntity", f"Entity '{body.get('object')}' is not supported by the Bulk API.")
        found = None if key is None or key == "Id" else external_id(table.sobject, key)
        job_id = id_with_suffix(f"750Sb0{len(self.by_id) + 1:09d}")
        job = Job(job_id, operation, table, found, line_ending, delimiter, version, self._org.now())
        self.by_id[job_id] = job
        return job

    def get(self, job_id: str) -> Job:
        """A job, by its id of 15 or 18 characters.

        Raises:
            RequestError: There is none.
        """
        found = self.by_id.get(job_id) or self.by_id.get(id_with_suffix(job_id[:15]))
        if found is None:
            raise not_found()
        return found

    def upload(self, job: Job, body: bytes) -> None:
        """Gives a job its CSV.

        Raises:
            RequestError: It has one, is not open, or the CSV is too large.
        """
        if job.state != "Open" or job.body is not None:
            raise _invalid("INVALIDJOBSTATE", f"Invalid job state: {job.state}, or data is uploaded already")
        if len(body) > MOST_BYTES:
            raise RequestError(413, "InvalidBatch", "The CSV is larger than 150 MB after base64")
        job.body = body

    def close(self, job: Job, state: Any, fault: Action | None) -> None:
        """Closes a job, or aborts it; one that has begun has written a part by then.

        Raises:
            RequestError: It is not in a state for that.
        """
        if state == "UploadComplete" and job.state == "Open":
            job.state, job.fault = "UploadComplete", fault
            job.is_miscounted = fault is not None and fault.own == "job_miscounts"
        elif state == "Aborted" and not job.has_ended:
            begun = job.state == "InProgress"
            if begun and self._read(job) and job.sent is not None:
                job.most_rows = job.sent.num_rows // 2
                self._write(job)
            elif job.body is not None:
                self._read(job)
            job.state = "Aborted"
        else:
            raise _invalid("INVALIDJOBSTATE", f"Job is {job.state} and cannot become {state}")

    def poll(self, job: Job) -> Job:
        """A job, one step further."""
        if job.state in ("UploadComplete", "InProgress"):
            job.polls += 1
            if job.polls > self._org.settings.polls_until_done:
                self._run(job)
            elif job.polls > 1:
                job.state = "InProgress"
        return job

    def delete(self, job: Job) -> None:
        """Forgets a job.

        Raises:
            RequestError: It has not ended.
        """
        if not job.has_ended:
            raise _invalid("INVALIDJOBSTATE", f"Job is {job.state} and cannot be deleted")
        del self.by_id[job.id]

    def results(self, job: Job, which: str) -> bytes:
        """One of the three results, as CSV.

        Raises:
            RequestError: The job has not ended, or there is no such result.
        """
        if not job.has_ended:
            raise _invalid("INVALIDJOBSTATE", f"Job is {job.state}: it has no results yet")
        return job_results.read(job, which, shuffled=self._org.settings.shuffle_results)

    def _run(self, job: Job) -> None:
        """Writes a closed job to its end."""
        if not self._read(job) or job.sent is None:
            job.state = "Failed"
            return
        fails = job.fault is not None and job.fault.own == "job_fails"
        if fails and job.fault is not None:
            job.most_rows = min(job.fault.details.get("applied_rows", job.sent.num_rows // 2), job.sent.num_rows)
            job.error = job.fault.details.get("message", "InternalServerError : the job was retried 20 times")
        self._write(job)
        job.state = "Failed" if fails else "JobComplete"

    def _read(self, job: Job) -> bool:
        """Reads the CSV; False where the job fails by it, with all of its rows unprocessed."""
        try:
            job.sent = csv_text.read(job.body or b"", job.delimiter, job.line_ending)
        except csv_text.MalformedCsvError as error:
            job.error = f"InvalidBatch : {error}"
            return False
        job.body = None
        for name in job.sent.column_names:
            found = heading(self._org, job.table.sobject, name)
            if found is None:
                job.error = f"InvalidBatch : Field name not found : {name}"
                return False
            job.headings.append(found)
        return True

    def _write(self, job: Job) -> None:
        """Writes the rows, an internal batch at a time."""
        if job.sent is None:
            return
        size = self._org.settings.bulk_batch_rows
        most = job.sent.num_rows if job.most_rows is None else job.most_rows
        for start in range(0, most, size):
            rows = rows_of(self._org, job.headings, job.sent.slice(start, min(size, most - start)))
            errors_of_fault(self._org, job.table, rows, job.fault)
            outcome = write(job.table, _OPERATIONS[job.operation], rows, job.key, self._org.now())
            job.done.places += outcome.places
            job.done.created += outcome.created
            job.done.errors += outcome.errors


def _invalid(code: str, message: str) -> RequestError:
    return RequestError(400, code, message)
