"""One slice of rows: looked for in the table, and what is new or differs inserted; the rows that the server refuses.

There are no transactions: a slice is two inserts at most, and a repeat finds out by itself what the first attempt did.
An insert that fails leaves nothing behind. The server names no row, but for a check at most the first: so all rows are
put to the checks; where none of them is at fault, halves find the one that is.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations._sql.refusals import refusal
from reverse_etl.destinations._sql.repeats import later_ones
from reverse_etl.destinations.base import Accepted, Refusal
from reverse_etl.destinations.clickhouse import failures
from reverse_etl.destinations.clickhouse.halves import fault_of, faults
from reverse_etl.destinations.clickhouse.literals import literals
from reverse_etl.destinations.clickhouse.session import Refused, Stage
from reverse_etl.destinations.clickhouse.staging import stage_of
from reverse_etl.destinations.clickhouse.statements import Statements
from reverse_etl.destinations.left_out import left_out_by

if TYPE_CHECKING:
    from reverse_etl.destinations.clickhouse.session import Session
    from reverse_etl.destinations.clickhouse.version import Version

    Note = Callable[[Accepted], None]

_HIDDEN: Final = "it was written without an error and is not there: a newer version, a policy or a time limit hides it"
_KEYS: Final = 5_000
"""In one statement that deletes: it is kept, as text, until all of its work is done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with the rows of a slice, as masks; what is in none of them is there as it is, or refused.

    Attributes:
        new: To be added.
        changed: To be inserted whole, in place of what is there.
        excluded: Left out.
    """

    new: np.ndarray
    changed: np.ndarray
    excluded: np.ndarray


class Slice:
    """A slice on its way into the table. Methods raise ``Refused`` for what is no row's fault.

    Args:
        session: The way to the server.
        statements: Those for the table.
        batch: As ``fit`` gives it.
        version: What the version column gets; None where the query has it, or there is none.
        token: What the run calls its inserts.
        asks_first: Whether rows are put to the checks before they are inserted, as the slice before broke some.
    """

    def __init__(
        self,
        session: Session,
        statements: Statements,
        batch: pa.RecordBatch,
        *,
        version: Version | None,
        token: str,
        asks_first: bool = False,
    ) -> None:
        self._session = session
        self._statements = statements
        self._numbers = batch.column(ROW_NUMBER).to_numpy()
        self._batch = batch.drop_columns([ROW_NUMBER])
        self._version = version
        self._token = token
        self._refusals: list[Refusal] = []
        self._left = np.ones(batch.num_rows, bool)
        self.tried = np.empty(0, np.int64)
        self._asks_first = asks_first
        self.violates = False

    def write(self, tried: np.ndarray) -> Accepted:
        """Writes the rows, and gives those that are refused or left out; all others are in the table.

        Args:
            tried: The numbers of rows that an earlier attempt without an answer was to add.
        """
        plan = self.plan(tried)
        new, changed = plan.new, plan.changed
        self.tried = self._numbers[new]
        if changed.any():
            self._insert(changed, self._update, existing=True)
            self._read_back(changed & self._left & self._differing(changed & self._left))
        if new.any():
            self._insert(new, self._add, existing=False)
            self._read_back(new & self._left & ~self._existing(new & self._left))
        return Accepted(
            tuple(sorted(self._refusals)), left_out_by(self._statements.write, np.flatnonzero(plan.excluded).tolist())
        )

    def plan(self, tried: np.ndarray) -> Plan:
        """What is to be done with the rows; those that cannot be written are refused."""
        self._refuse_repeats()
        existing, none = self._existing(self._left), np.zeros(len(self._left), bool)
        looks = self._statements.updates or len(tried) > 0
        differs = self._differing(existing) if looks else none
        ours = np.isin(self._numbers, tried) & existing & ~differs
        changed = differs if self._statements.updates else none
        absent = self._left & ~existing
        if not self._statements.adds:
            return Plan(none, changed, absent)
        self._refuse_nulls(absent)
        return Plan(absent & self._left, changed, existing & ~ours if self._statements.write == "add_only" else none)

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(self._left)

    @property
    def refusals(self) -> Sequence[Refusal]:
        """Those that are refused by now."""
        return self._refusals

    def existing_rows(self) -> int:
        """How many of its keys the table has."""
        return int(self._existing(self._left).sum())

    def append(self, token: str, note: Note) -> Accepted:
        """Adds the rows in one insert, and gives those that are refused; raises where none is known to be at fault.

        Args:
            token: What the insert is called.
            note: Is called before each attempt, with what is the answer if it succeeds.
        """
        for _ in range(2):
            answer = Accepted(tuple(sorted(self._refusals)))
            note(answer)
            if not self._left.any():
                return answer
            try:
                self._add(self._left, token)
            except Refused as refused:
                known = len(self._refusals)
                if refused.code == failures.VIOLATED:
                    self._refuse_violations(self._left, existing=False)
                if len(self._refusals) == known:
                    raise
            else:
                return answer
        raise Refused(failures.VIOLATED, "a check of what is not in the rows")

    def delete(self) -> Accepted:
        """Deletes the rows with these keys; those that are not there are as good."""
        if self._statements.of.is_deleted:
            self._session.run(
                self._statements.bury(), stage=self._stage(self._left), settings=self._tokens("gone", self._left)
            )
            return Accepted()
        columns = [literals(self._batch.column(column.fits.name), column.fits) for column in self._statements.key]
        keys = [key for key in zip(*columns, strict=True) if None not in key]
        for start in range(0, len(keys), _KEYS):
            self._session.delete(self._statements.delete(keys[start : start + _KEYS]))
        return Accepted()

    def _refuse_repeats(self) -> None:
        """Rows whose key an earlier one has, as the table has it: of two in one insert, the last would stay."""
        key = [column.fits.name for column in self._statements.key]
        again = later_ones([self._batch.column(name) for name in key])
        for place in np.flatnonzero(again).tolist():
            self._refuse(refusal(place, "duplicate_key", key))

    def _refuse_nulls(self, new: np.ndarray) -> None:
        """Rows that keep what is there where they are empty, and for which there is nothing."""
        if not self._statements.keeps_when_empty:
            return
        for column in self._statements.columns:
            if not column.fits.nullable:
                empty = pc.is_null(self._batch.column(column.fits.name)).to_numpy(zero_copy_only=False)
                for place in np.flatnonzero(new & self._left & empty).tolist():
                    self._refuse(refusal(place, "null", [column.fits.name]))

    def _existing(self, rows: np.ndarray) -> np.ndarray:
        """Which of the rows the table has."""
        found = self._asked(self._statements.existing(), rows, self._statements.keys)
        existing = np.zeros(len(rows), bool)
        existing[found.column("place").to_numpy()] = True
        return existing

    def _differing(self, rows: np.ndarray) -> np.ndarray:
        """Which of the rows the table has otherwise, or not any more."""
        found = self._asked(self._statements.plan(), rows)
        differs = rows.copy()
        differs[found.column("place").to_numpy()] = found.column("differs").to_numpy() != 0
        return differs

    def _asked(self, query: str, rows: np.ndarray, names: Container[str] | None = None) -> pa.Table:
        if rows.any():
            return self._session.arrow(query, stage=self._stage(rows, names))
        return pa.table({"place": pa.array([], pa.uint32()), "differs": pa.array([], pa.uint8())})

    def _read_back(self, hidden: np.ndarray) -> None:
        """Refuses rows that were written and are not there."""
        for place in np.flatnonzero(hidden).tolist():
            self._refuse(refusal(place, "not_applied", message=_HIDDEN))

    def _insert(self, rows: np.ndarray, act: Callable[[np.ndarray], None], *, existing: bool) -> None:
        """Inserts rows, or all of them that can be."""
        if self._asks_first:
            self._refuse_violations(rows, existing=existing)
            rows = rows & self._left
        fault = fault_of(act, rows) if rows.any() else None
        if fault is None:
            return
        if fault.code == failures.VIOLATED and not self._asks_first:
            self._refuse_violations(rows, existing=existing)
        for place, each in faults(np.flatnonzero(rows & self._left), len(rows), act):
            self._refuse(failures.refusal(place, each))

    def _refuse_violations(self, rows: np.ndarray, *, existing: bool) -> None:
        statements = self._statements
        stage = self._stage(rows, statements.checked(existing=existing))
        found = self._session.arrow(statements.violations(existing=existing), stage=stage)
        self.violates = self.violates or found.num_rows > 0
        checks = statements.of.checks
        for place, failed in zip(found.column("place").to_pylist(), found.column("failed").to_pylist(), strict=True):
            check = checks[failed[0]]
            self._refuse(refusal(place, "breaks_check", check.columns, constraint=check.name))

    def _add(self, rows: np.ndarray, token: str = "") -> None:
        table = pa.Table.from_batches([self._batch if rows.all() else self._batch.filter(pa.array(rows))])
        if self._version is not None and self._version.name not in table.column_names:
            table = table.append_column(self._version.name, self._version.repeated(table.num_rows))
        self._session.insert(self._statements.table, table, self._tokens("new", rows, token))

    def _update(self, rows: np.ndarray) -> None:
        self._session.run(self._statements.update(), stage=self._stage(rows), settings=self._tokens("changed", rows))

    def _tokens(self, what: str, rows: np.ndarray, token: str = "") -> dict[str, str]:
        """The settings by which a table that remembers its inserts drops one that comes again."""
        numbers = self._numbers[rows]
        name = token or f"{self._token}:{what}:{numbers[0]}-{numbers[-1]}:{len(numbers)}"
        return {"insert_deduplicate": "1", "insert_deduplication_token": name}

    def _stage(self, rows: np.ndarray, names: Container[str] | None = None) -> Stage:
        return stage_of(self._statements, self._batch, rows, names)

    def _refuse(self, refusal: Refusal) -> None:
        self._refusals.append(refusal)
        self._left[refusal.place] = False
