"""What became of each row, kept while rows are sent and written down in the journal as soon as it is known.

The journal is the truth of a delivery: the next ledger of the same rows, after whatever ended this one, begins with it.
``outcomes.npy`` and the failed rows are what others read, written when the ledger is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
import pyarrow as pa

from reverse_etl.changeset.excluded import LEFT_OUT_LATER_FILE, Excluded, write_excluded
from reverse_etl.changeset.parts import FAILED_ROW_SCHEMA, ROW_NUMBER, Outcomes, Parts, count
from reverse_etl.changeset.row_keys import MODULUS
from reverse_etl.errors import StateError
from reverse_etl.ledger.journal import JOURNAL_FILE, Entry, Journal, ranges
from reverse_etl.ledger.journal_upload import JournalUpload
from reverse_etl.report import Cause, Counts, Outcome, Reason

_OF_DELIVERY: Final = (Outcome.UNDELIVERED, Outcome.DELIVERED, Outcome.REFUSED)
_MOST_CAUSES: Final = 50_000
"""How many causes are kept apart; messages of further ones are left out, so that memory stays bounded."""

_Places = np.ndarray[tuple[int], np.dtype[np.int64]]
_Codes = np.ndarray[tuple[int], np.dtype[np.uint32]]

Identifiers = Callable[[pa.RecordBatch, str], pa.StringArray]


class Ledger:
    """The outcomes of one stream's rows, beginning with what the journal has of an earlier attempt.

    Args:
        parts: The rows.
        outcomes: One a row; changed in place.
        identifiers: Gives each failed row's identifier, as ``Destination.identifiers`` does.
        identified_by: The columns that it needs; None where that is not known: then all are read for it.
    """

    def __init__(
        self,
        parts: Parts,
        outcomes: Outcomes,
        identifiers: Identifiers,
        *,
        identified_by: Sequence[str] | None = None,
    ) -> None:
        self.outcomes = outcomes
        self._parts = parts
        self._identifiers = identifiers
        self._identified_by = identified_by
        self._codes: dict[Cause, int] = {}
        # 0 is no cause. The system gives memory only to the pages that are written to.
        self._cause_of_row = np.zeros(len(outcomes), dtype=np.uint32)
        path = parts.folder / JOURNAL_FILE
        self._journal = Journal(path, JournalUpload(parts.shared, parts.stream, path) if parts.shared else None)
        before = outcomes.copy()
        for entry in self._journal.entries():
            self._replay(entry, before)
        self.delivered = int(np.count_nonzero(outcomes == Outcome.DELIVERED))
        self.failed = int(np.count_nonzero(self._failed_here(self._cause_of_row, outcomes)))
        self.excluded = 0
        self.total = self.delivered + self.failed + int(np.count_nonzero(outcomes == Outcome.UNDELIVERED))

    def deliver(self, numbers: Sequence[int], keys: Sequence[int]) -> None:
        """Rows that were accepted, and their keys (``changeset.row_keys``)."""
        self._settle(numbers, keys, Outcome.DELIVERED)
        self.delivered += len(numbers)

    def exclude(self, numbers: Sequence[int], keys: Sequence[int], causes: Sequence[Cause]) -> None:
        """Rows that are left out by the user's own choice, each for the cause at its place, or all for the only one."""
        self._settle_each(numbers, keys, Outcome.EXCLUDED, causes)
        self.excluded += len(numbers)

    def fail(self, numbers: Sequence[int], keys: Sequence[int], outcome: Outcome, cause: Cause) -> None:
        """Rows that failed for good, all for one cause: ``REFUSED`` or ``REJECTED``."""
        self._settle(numbers, keys, outcome, (cause,))
        self.failed += len(numbers)

    def fail_each(self, numbers: Sequence[int], keys: Sequence[int], outcome: Outcome, causes: Sequence[Cause]) -> None:
        """Rows that failed for good, each for the cause at its place."""
        self._settle_each(numbers, keys, outcome, causes)
        self.failed += len(numbers)

    def sync(self, *, at_once: bool = False) -> None:
        """Makes what is in the journal survive this process's machine: within seconds, or now. Raises StateError."""
        with self._writing():
            self._journal.sync()
        self._journal.share(last=at_once)

    def close(self, left: Cause) -> Counts:
        """Writes down what others read: first the failed rows, then the outcomes that refer to them.

        Args:
            left: Why rows without an outcome have none.

        Raises:
            StateError: The run's folder cannot be written, here or where other machines find it.
        """
        path = self._parts.folder / "failed-delivery.parquet"
        with self._writing():
            self._journal.close()
            if self._has_failed_rows():
                self._parts.write_failed("delivery", self._failed_rows(left))
            else:
                path.unlink(missing_ok=True)
            excluded, noted = self._excluded(), self._parts.folder / LEFT_OUT_LATER_FILE
            if excluded or noted.exists():
                write_excluded(noted, excluded)
            self._parts.write_outcomes(self.outcomes)
        self._journal.share(last=True)
        return count(self.outcomes)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StateError(
                f"what became of the rows cannot be written to {self._parts.folder}: {error.strerror or error}.",
                hint="Rows written down as undelivered may have been delivered; running again is safe.",
            ) from error

    def _settle_each(
        self, numbers: Sequence[int], keys: Sequence[int], outcome: Outcome, causes: Sequence[Cause]
    ) -> None:
        distinct = tuple(dict.fromkeys(causes))
        which: tuple[int, ...] = ()
        if len(distinct) > 1:
            places = dict(zip(distinct, range(len(distinct)), strict=True))
            by_row = [*map(places.__getitem__, causes)]
            which = tuple(by_row[at] for at in np.argsort(np.array(numbers, np.int64)).tolist())
        self._settle(numbers, keys, outcome, distinct, which)

    def _settle(
        self,
        numbers: Sequence[int],
        keys: Sequence[int],
        outcome: Outcome,
        causes: tuple[Cause, ...] = (),
        which: tuple[int, ...] = (),
    ) -> None:
        if not numbers:
            return
        entry = Entry(outcome, ranges(numbers), sum(keys) % MODULUS, causes, which)
        with self._writing():
            self._journal.append(entry)
        self._enter(entry.places(), entry)

    def _replay(self, entry: Entry, before: Outcomes) -> None:
        places = entry.places()
        if len(places) and places[-1] >= len(self.outcomes):
            raise StateError(f"the journal in {self._parts.folder} is of other rows.", hint="Run the whole sync again.")
        # A row that the checks, run again, keep back now is a failed row of theirs and is not sent. What was reported
        # after an answer is a later entry.
        here = before[places]
        self._enter(places, entry, np.isin(here, (*_OF_DELIVERY, entry.outcome)))

    def _enter(
        self, places: _Places, entry: Entry, mine: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None
    ) -> None:
        """Enters the rows at some places, or those of them that are ``mine``."""
        codes = np.array([self._code(cause) for cause in entry.causes], np.uint32)
        of_rows = codes[list(entry.which)] if entry.which else codes
        if mine is not None:
            places, of_rows = places[mine], of_rows[mine] if entry.which else of_rows
        self.outcomes[places] = entry.outcome
        if entry.causes:
            self._cause_of_row[places] = of_rows

    def _code(self, cause: Cause) -> int:
        code = self._codes.get(cause)
        if code is None:
            if len(self._codes) >= _MOST_CAUSES:
                cause = cause._replace(why=cause.why._replace(message=""))
            code = self._codes.setdefault(cause, len(self._codes) + 1)
        return code

    def _has_failed_rows(self) -> bool:
        failed = bool(self._codes) and bool(self._failed_here(self._cause_of_row, self.outcomes).any())
        return failed or bool((self.outcomes == Outcome.UNDELIVERED).any())

    @staticmethod
    def _failed_here(codes: _Codes, outcomes: Outcomes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of the rows with a cause failed, and were not left out for it."""
        return np.asarray((codes > 0) & (outcomes != Outcome.EXCLUDED), dtype=np.bool_)

    def _excluded(self) -> list[Excluded]:
        """The rows that were left out here, by reason."""
        if not self._codes:
            return []
        codes = self._cause_of_row[self.outcomes == Outcome.EXCLUDED]
        rows = np.bincount(codes, minlength=len(self._codes) + 1)[1:].tolist()
        found: dict[str, Excluded] = {}
        for cause, count_ in zip(self._codes, rows, strict=True):
            if count_:
                why = cause.why
                found.setdefault(why.reason, Excluded(why.reason, why.message)).rows += count_
        return [*found.values()]

    def _failed_rows(self, left: Cause) -> Iterator[pa.RecordBatch]:
        """Rows that failed here and rows without an outcome, by row number, a part at a time."""
        left_code = self._code(left)
        flat = [(cause.stage, *cause.why) for cause in self._codes]
        causes = [pa.array(texts, pa.string()) for texts in zip(*flat, strict=True)]
        for batch in self._parts.batches(self._identified_by):
            places = batch.column(ROW_NUMBER).to_numpy() - 1
            codes = self._cause_of_row[places]
            codes = np.where(self.outcomes[places] == Outcome.UNDELIVERED, np.uint32(left_code), codes)
            failed = self._failed_here(codes, self.outcomes[places])
            if failed.any():
                yield self._columns(batch.filter(pa.array(failed)), codes[failed] - 1, causes)

    def _columns(self, batch: pa.RecordBatch, codes: _Codes, causes: list[pa.StringArray]) -> pa.RecordBatch:
        columns = {
            "row_number": batch.column(ROW_NUMBER),
            "query": pa.array([self._parts.stream] * batch.num_rows),
            "identifier": self._identifiers(batch, self._parts.stream),
        }
        for name, texts in zip(("stage", *Reason._fields), causes, strict=True):
            columns[name] = texts.take(pa.array(codes))
        return pa.RecordBatch.from_pydict(columns, schema=FAILED_ROW_SCHEMA)
