"""The three results of a job that has ended: every row that was sent is in one of them, in no promised order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from reverse_etl.sandbox.salesforce import csv_text
from reverse_etl.sandbox.salesforce.ids import record_ids
from reverse_etl.sandbox.salesforce.job import Job
from reverse_etl.sandbox.salesforce.problems import not_found


def read(job: Job, which: str, *, shuffled: bool) -> bytes:
    """One of the results, as CSV; clients spell their names in two ways.

    Raises:
        RequestError: There is no such result.
    """
    told = {"successfulresults": _successful, "failedresults": _failed, "unprocessedrecords": _unprocessed}.get(
        which.lower()
    )
    if told is None:
        raise not_found()
    if job.sent is None:
        return b""
    written = len(job.done.errors)
    is_failed = np.fromiter((error is not None for error in job.done.errors), bool, written)
    found = told(job, job.sent, is_failed)
    if shuffled:
        found = found.take(pa.array(np.random.default_rng(written).permutation(found.num_rows)))
    return csv_text.write(found, job.delimiter)


def _successful(job: Job, sent: pa.Table, is_failed: np.ndarray) -> pa.Table:
    chosen = _as_told(job, sent).slice(0, len(is_failed)).filter(pa.array(~is_failed))
    places = np.asarray(job.done.places, dtype=np.int64)[~is_failed]
    created = np.asarray(job.done.created, dtype=bool)[~is_failed]
    words = pa.DictionaryArray.from_arrays(pa.array(created.astype(np.int8)), ["false", "true"]).cast(pa.string())
    ids = record_ids(job.table.sobject.prefix, places)
    return chosen.add_column(0, "sf__Created", words).add_column(0, "sf__Id", ids)


def _failed(job: Job, sent: pa.Table, is_failed: np.ndarray) -> pa.Table:
    chosen = _as_told(job, sent).slice(0, len(is_failed)).filter(pa.array(is_failed))
    texts = [error.as_text() for error in job.done.errors if error is not None]
    ids = [_id_of(job, sent, n) for n in np.flatnonzero(is_failed).tolist()]
    told = chosen.add_column(0, "sf__Error", pa.array(texts, pa.string()))
    return told.add_column(0, "sf__Id", pa.array(ids, pa.string()))


def _unprocessed(job: Job, sent: pa.Table, is_failed: np.ndarray) -> pa.Table:
    return _as_told(job, sent).slice(len(is_failed))


def _as_told(job: Job, sent: pa.Table) -> pa.Table:
    """The columns sent, as results have them: without values where a name is spelt in another way."""
    blank = pa.array([""] * sent.num_rows) if not all(each.is_spelt for each in job.headings) else None
    spelt = [each.is_spelt for each in job.headings] + [True] * (sent.num_columns - len(job.headings))
    columns = [column if is_spelt else blank for column, is_spelt in zip(sent.columns, spelt, strict=True)]
    return pa.table(columns, names=sent.column_names)


def _id_of(job: Job, sent: pa.Table, n: int) -> str:
    if job.done.places[n] >= 0:
        return job.table.id_at(job.done.places[n])
    if job.operation not in ("insert", "upsert") and "Id" in sent.column_names:
        return str(sent.column("Id")[n].as_py())
    return ""
