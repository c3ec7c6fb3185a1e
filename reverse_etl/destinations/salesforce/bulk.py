"""Upserts of many records as jobs of Bulk API 2.0: one CSV a job, and what became of each record found by its key.

Source: Salesforce Bulk API 2.0 developer guide, release 66, 2026. Results are read whatever the job's end: one that
failed may have applied a part. Order is not promised, and counters are not believed.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from reverse_etl.changeset.columns import deleted_rows
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.changeset.text import as_text
from reverse_etl.config.gone import DELETED
from reverse_etl.destinations._http import fields
from reverse_etl.destinations._http.reply import Reply
from reverse_etl.destinations.base import Refusal, RequestRefused, TryAgain, refusals_of
from reverse_etl.destinations.request_powers import JobAnswer, JobState
from reverse_etl.destinations.salesforce.answers import LOCKED, passes
from reverse_etl.destinations.salesforce.client import error_code
from reverse_etl.destinations.salesforce.items import INSTANT
from reverse_etl.errors import DestinationRefusedError

if TYPE_CHECKING:
    from reverse_etl.destinations._http.fields import Field
    from reverse_etl.destinations.salesforce.client import Client
    from reverse_etl.destinations.salesforce.section import Salesforce
    from reverse_etl.pacing.retry import Patience

MAX_BYTES: Final = 40_000_000
"""Salesforce takes 150 MB after base64; a part that is lost on the way is sent again whole."""

WORTH_ROWS: Final = 2_000
"""Salesforce advises jobs for more records than this."""

MAX_FIELD: Final = 32_000
CLEARED: Final = "#N/A"

_MAY_HARD_DELETE: Final = (
    "Deleting for good needs the permission `Bulk API Hard Delete` of the app's user, which no profile has at first: "
    "have it granted, or write `gone: delete`, which deletes into the recycle bin."
)
_CSV: Final = {"content-type": "text/csv; charset=utf-8"}
_CHUNK: Final = 20_000
_AT_WORK: Final = frozenset({"UploadComplete", "InProgress"})
_ENDED: Final = frozenset({"JobComplete", "Failed", "Aborted"})


class BulkJobs:
    """The power ``request_powers.RunsJobs`` of an org."""

    max_job_bytes = MAX_BYTES

    def __init__(self, org: Client, section: Salesforce, label: str, patience: Patience) -> None:
        self._client = org
        self._patience = patience
        self._section = section
        self.name = label
        self._jobs = f"{org.version}/jobs/ingest"
        self._fields: Sequence[Field] = ()

    def takes_jobs(self, rows: int) -> bool:
        """Upserts of many rows, or of any number with ``via: bulk``; none where duplicate rules are passed over."""
        if self._section.duplicate_rules == "save":
            return False
        if self._section.write != "add_and_update" or self._section.via == "collections":
            return False
        return rows > (0 if self._section.via == "bulk" else WORTH_ROWS)

    def job_keys(self, batch: pa.RecordBatch) -> pa.StringArray:
        """Keys in lower case; null for rows that are gone, do not fit, or have a value that a CSV means otherwise."""
        keys = pc.utf8_lower(as_text(*_column(batch, self._section.key_column)))
        unfit = deleted_rows(batch) if self._section.when_gone is not None else pa.array([False] * batch.num_rows)
        for name in batch.schema.names:
            column, field = _column(batch, name)
            if pa.types.is_string(field.type):
                odd = pc.or_(pc.equal(column, CLEARED), pc.greater(pc.utf8_length(column), MAX_FIELD))
                unfit = pc.or_(unfit, pc.fill_null(odd, False))
        for kept in fields.kept_back(batch, self._fields):
            unfit = pc.or_(unfit, pc.is_in(batch.column(ROW_NUMBER), value_set=kept.rows))
        return pc.if_else(unfit, pa.scalar(None, pa.string()), keys)

    def job_rows(self, batch: pa.RecordBatch) -> bytes:
        """Rows as CSV: an empty field leaves what is there, ``#N/A`` clears it."""
        clears = self._section.empty_values == "clear"
        names = self._sent(batch.schema.names)
        table = pa.table([_text(*_column(batch, name), clears=clears) for name in names], names=names)
        written = io.BytesIO()
        pacsv.write_csv(table, written, pacsv.WriteOptions(include_header=False, quoting_style="needed"))
        return written.getvalue()

    async def require_hard_delete(self) -> None:
        """Makes sure, before the first row, that the user may delete for good. Raises DestinationError."""
        job: str = await self._patience.until_settled(self._open_hard_delete)
        await self.abandon_job(job)

    async def hard_deleted(self, ids: Sequence[str]) -> list[dict[str, Any]] | RequestRefused | TryAgain:
        """The result of each record, as collections give it, of a job that deletes for good.

        A job that ended early, or whose answer is lost, is no harm: what it deleted is not found the next time.
        """
        job = await self._open_hard_delete()
        if isinstance(job, TryAgain):
            return job
        body = "\n".join(["Id", *ids, ""]).encode()
        reply = await self._client.ask("PUT", f"{self._jobs}/{job}/batches", body=body, headers=_CSV)
        if isinstance(reply, TryAgain):
            return reply
        if reply.status not in (200, 201):
            raise self._refused(reply, "take the ids of a job", _MAY_HARD_DELETE)
        if (trouble := await self.close_job(job)) is not None:
            return trouble
        await self._patience.until_settled(partial(self._has_ended, job))
        found: dict[str, dict[str, Any]] = {}
        for which in ("successfulResults", "failedResults"):
            told = await self._results(job, which, ("sf__Id", *(("sf__Error",) if which == "failedResults" else ())))
            if isinstance(told, TryAgain):
                return told
            for row in told.to_pylist():
                code, _, message = str(row.get("sf__Error") or "").partition(":")
                errors = [{"statusCode": code, "message": message}] if code else []
                found[row["sf__Id"]] = {"success": which == "successfulResults", "errors": errors}
        not_done = {"success": False, "errors": [{"statusCode": LOCKED, "message": "the job did not come to it."}]}
        return [found.get(each, not_done) for each in ids]

    async def _open_hard_delete(self) -> str | TryAgain:
        return await self._opened({"operation": "hardDelete"}, _MAY_HARD_DELETE)

    async def _has_ended(self, job: str) -> JobState | TryAgain:
        state = await self.state_of_job(job)
        return TryAgain(f"job {job} is at work", after_s=1.0) if state is JobState.AT_WORK else state

    async def open_job(self) -> str | TryAgain:
        """A job that upserts by the key."""
        return await self._opened({"operation": "upsert", "externalIdFieldName": self._section.key_field})

    async def _opened(self, what: dict[str, str], hint: str = "") -> str | TryAgain:
        asked = {
            "object": self._section.object,
            **what,
            "contentType": "CSV",
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }
        reply = await self._client.ask("POST", self._jobs, body=orjson.dumps(asked))
        if isinstance(reply, TryAgain):
            return reply
        read = reply.json
        if isinstance(read, dict) and isinstance(read.get("id"), str):
            return str(read["id"])
        if reply.status in (200, 201):
            return TryAgain(f"HTTP {reply.status} without a job's id")
        raise self._refused(reply, "make a job", hint)

    async def fill_job(self, job: str, names: Sequence[str], rows: Sequence[bytes]) -> TryAgain | None:
        """Uploads the CSV. A repeat after a lost answer is refused because it is there, which is as good."""
        head = ",".join(f'"{name}"' for name in self._sent(names)).encode()
        reply = await self._client.ask(
            "PUT", f"{self._jobs}/{job}/batches", body=b"".join((head, b"\n", *rows)), headers=_CSV
        )
        if isinstance(reply, TryAgain):
            return reply
        if reply.status in (200, 201) or (reply.status == 400 and error_code(reply) in _THERE_ALREADY):
            return None
        raise self._refused(reply, "take the rows of a job")

    async def close_job(self, job: str) -> TryAgain | None:
        """Has it begin. A repeat after a lost answer finds it closed."""
        reply = await self._client.ask("PATCH", f"{self._jobs}/{job}", body=b'{"state":"UploadComplete"}')
        if isinstance(reply, TryAgain):
            return reply
        if reply.status == 200:
            return None
        state = await self.state_of_job(job)
        if isinstance(state, TryAgain):
            return state
        if state in (JobState.AT_WORK, JobState.ENDED):
            return None
        raise self._refused(reply, "begin a job")

    async def abandon_job(self, job: str) -> None:
        """Aborts it, at work or not. An open one that cannot be reached stays open, and nothing of it is applied."""
        await self._client.ask("PATCH", f"{self._jobs}/{job}", body=b'{"state":"Aborted"}')

    async def state_of_job(self, job: str) -> JobState | TryAgain:
        """How far it is."""
        reply = await self._client.ask("GET", f"{self._jobs}/{job}")
        if isinstance(reply, TryAgain):
            return reply
        if reply.status == 404:
            return JobState.UNKNOWN
        read = reply.json
        state = read.get("state") if reply.status == 200 and isinstance(read, dict) else None
        if state == "Open":
            return JobState.OPEN
        if state in _AT_WORK:
            return JobState.AT_WORK
        return JobState.ENDED if state in _ENDED else TryAgain(f"HTTP {reply.status} without a job's state")

    async def job_answers(self, job: str, keys: pa.StringArray) -> AsyncIterator[JobAnswer | TryAgain]:
        """The records that were written, and those that were refused; locked ones and unprocessed ones are neither."""
        for which in ("successfulResults", "failedResults"):
            found = await self._results(job, which)
            if isinstance(found, TryAgain):
                yield found
                return
            failed = which == "failedResults"
            places = await asyncio.to_thread(self._places, found, keys, in_order=not failed)
            if places.null_count:
                yield TryAgain("a job's results have rows that it was not sent")
                return
            for start in range(0, found.num_rows, _CHUNK):
                some, there = found.slice(start, _CHUNK), places.slice(start, _CHUNK)
                yield self._answer(some, there, failed=failed)

    def _places(self, found: pa.Table, keys: pa.StringArray, *, in_order: bool) -> pa.Int64Array:
        """Of all results at once: what finds a key among a job's is made once, and rows in order are few ranges."""
        named = pc.utf8_lower(found.column(self._section.key_column).combine_chunks())
        places = pc.index_in(named, value_set=keys).cast(pa.int64())
        return places.sort() if in_order else places

    def _answer(self, found: pa.Table, places: pa.Int64Array, *, failed: bool) -> JobAnswer:
        if not failed:
            return JobAnswer(places)
        errors = found.column("sf__Error").fill_null("").to_pylist()
        refusals = [
            each for each in _refusals(places.to_pylist(), errors) if not passes(each.why.reason, each.why.message)
        ]
        return JobAnswer(pa.array([], pa.int64()), refusals)

    async def _results(self, job: str, which: str, names: Sequence[str] = ()) -> pa.Table | TryAgain:
        """One of the results, as texts: by default the key, and the error of those that failed."""
        key = self._section.key_column
        columns = [*names] or ([key] if which == "successfulResults" else ["sf__Error", key])
        reply = await self._client.ask("GET", f"{self._jobs}/{job}/{which}")
        if isinstance(reply, TryAgain):
            return reply
        if reply.status != 200:
            return TryAgain(f"HTTP {reply.status} instead of a job's results")
        if not reply.body.strip():
            return pa.table({name: pa.array([], pa.string()) for name in columns})
        texts = dict.fromkeys(columns, pa.string())
        convert = pacsv.ConvertOptions(column_types=texts, include_columns=columns, strings_can_be_null=False)
        try:
            return pacsv.read_csv(
                io.BytesIO(reply.body),
                parse_options=pacsv.ParseOptions(newlines_in_values=True),
                convert_options=convert,
            )
        except (pa.ArrowInvalid, pa.ArrowKeyError):
            return TryAgain("a job's results that are no CSV with its key")

    def _sent(self, names: Sequence[str]) -> list[str]:
        gone = {DELETED} if self._section.when_gone is not None else set()
        return [name for name in names if name not in {ROW_NUMBER, *gone}]

    def _refused(self, reply: Reply, what: str, hint: str = "") -> DestinationRefusedError:
        code = error_code(reply)
        return DestinationRefusedError(
            f"{self.name}: Salesforce does not {what} (HTTP {reply.status}{f', {code}' if code else ''}).",
            hint=hint or "Check that the app's user may use the Bulk API, or write `via: collections`.",
        )


_THERE_ALREADY: Final = frozenset({"InvalidJobState", "INVALIDJOBSTATE", "InvalidBatch", "INVALIDBATCH"})


def _refusals(places: Sequence[int], errors: Sequence[str]) -> list[Refusal]:
    """``CODE:message:field --`` of each place."""
    split = [error.split(":") for error in errors]
    codes = [parts[0].strip() or "invalid" for parts in split]
    fields = [parts[-1].partition("--")[0].strip() if len(parts) > 2 else "" for parts in split]
    messages = [
        ":".join(parts[1:-1] if len(parts) > 2 else parts[1:]) or "refused without a message." for parts in split
    ]
    return refusals_of(places, codes, fields, messages)


def _column(batch: pa.RecordBatch, name: str) -> tuple[pa.Array, pa.Field]:
    at = batch.schema.get_field_index(name)
    return batch.column(at), batch.schema.field(at)


def _text(column: pa.Array, field: pa.Field, *, clears: bool) -> pa.StringArray:
    if pa.types.is_timestamp(column.type):
        text = pc.strftime(pc.cast(column, pa.timestamp("s", column.type.tz), safe=False), format=INSTANT)
    else:
        text = as_text(column, field)
    empty = pc.fill_null(pc.equal(text, ""), True)
    return pc.if_else(empty, pa.scalar(CLEARED if clears else None, pa.string()), text)
