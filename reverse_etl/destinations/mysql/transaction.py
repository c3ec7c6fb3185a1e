"""One slice of rows: staged, written in one transaction, and the rows that the database refuses.

The slice is put into a temporary stage by a few long statements, and written in two more: one that changes rows, one
that adds them. Where one of them fails for a row's sake, blocks on the server write what can be written and name each
row that fails; MySQL has no such blocks, so there halves are tried until the row is found. A failed statement
leaves nothing behind, and those before it stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations._sql.columns import Kind
from reverse_etl.destinations._sql.refusals import refusal
from reverse_etl.destinations.base import Accepted, KeptBack, Refusal
from reverse_etl.destinations.left_out import left_out_by
from reverse_etl.destinations.mysql import failures
from reverse_etl.destinations.mysql.blocks import (
    LEFT,
    insert_each,
    insert_rows,
    insert_the_rest,
    left_places,
    update_each,
)
from reverse_etl.destinations.mysql.halves import faults
from reverse_etl.destinations.mysql.literals import Piece, pieces
from reverse_etl.destinations.mysql.statements import (
    DROP_STAGE,
    EMPTY_BAD,
    FILL_STAGE,
    MAKE_BAD,
    READ_BAD,
    Statements,
    among,
)
from reverse_etl.sources.mysql.wire import Refused

if TYPE_CHECKING:
    from reverse_etl.destinations.mysql.catalogue import Table
    from reverse_etl.destinations.mysql.connection import Session

MOST_BYTES: Final = 1 << 20
"""Of one statement; fewer where the server takes less."""
_SAVEPOINT: Final = "reverse_etl"
_AROUND: Final = 1_000
"""Bytes of a statement around its rows, more than enough."""


class Transaction:
    """A slice on its way into the table. Methods raise ``Refused`` for what is no row's fault.

    Args:
        session: Outside of a transaction.
        table: What is in the catalogue.
        statements: Those for the table.
        batch: As ``fit`` gives it.
    """

    def __init__(self, session: Session, table: Table, statements: Statements, batch: pa.RecordBatch) -> None:
        self._session = session
        self._table = table
        self._statements = self.statements = statements
        self._batch = batch.drop_columns([ROW_NUMBER])
        self._refusals: list[Refusal] = []
        self._staged = np.ones(batch.num_rows, bool)

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self._staged)

    @property
    def refusals(self) -> Sequence[Refusal]:
        """The rows that are refused so far."""
        return self._refusals

    def stage(self) -> None:
        """Fills the stage, in transactions of its own; rows that the server cannot read stay out."""
        self._session.run(DROP_STAGE)
        self._session.run(self._statements.make_stage())
        most_bytes = self._session.packet_bytes - _AROUND
        for piece in pieces(self._batch, min(MOST_BYTES, most_bytes)):
            if piece.nbytes > most_bytes:
                message = "the row is longer than the server takes (max_allowed_packet)"
                self._unstage(refusal(piece.first, "too_long", message=message))
            else:
                self._stage(piece)

    def leave_out(self, kept_back: Sequence[KeptBack], numbers: pa.Int64Array) -> None:
        """Refuses rows that do not fit; their keys are null, and match nothing.

        Args:
            kept_back: Which, and why; a row may be in several.
            numbers: The row numbers of the slice, ascending.
        """
        for each in kept_back:
            for place in np.searchsorted(numbers.to_numpy(), each.rows.to_numpy()).tolist():
                if self._staged[place]:
                    self._unstage(Refusal(place, each.why))

    def landed(self, answer: Accepted) -> bool:
        """Whether what an answer calls delivered is in the table: its transaction was committed."""
        existing, changed = self._plan()
        left_out = [*(each.place for each in answer.refusals), *(each.place for each in answer.excluded)]
        delivered = np.ones(len(self._staged), bool)
        delivered[left_out] = False
        return bool((existing & ~changed)[delivered].all())

    def append(self) -> tuple[Accepted, str]:
        """Adds the rows; gives those that are refused, and a number that the table gave one of the others, if it did.

        All others are in the table.
        """
        at_once = self._insert(self._staged.copy())
        answer = Accepted(tuple(sorted(self._refusals)))
        # After a statement that failed, the server's last number is undefined.
        if not at_once or not self._statements.numbered_by:
            return answer, ""
        ((number,),) = self._session.rows("SELECT LAST_INSERT_ID()")
        return answer, number

    def plan(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which of the rows the table has, which of those differ, and which are new; what is ambiguous is refused."""
        self._take(self._ambiguous())
        existing, changed = self._plan()
        return existing, changed, self._staged & ~existing

    def write(self) -> Accepted:
        """Writes the rows, and gives those that are refused or left out; all others are in the table."""
        existing, changed, new = self.plan()
        excluded = np.zeros(len(new), bool)
        if not self._statements.adds:
            excluded, new = new, excluded
        elif self._statements.write == "add_only":
            excluded = existing
        if changed.any():
            self._update(changed)
        if new.any():
            self._insert(new)
        return Accepted(
            tuple(sorted(self._refusals)), left_out_by(self._statements.write, np.flatnonzero(excluded).tolist())
        )

    def delete(self) -> Accepted:
        """Deletes the rows with these keys, and gives those that cannot be; all others are not in the table."""
        if not self._passes(self._statements.delete("TRUE")):
            self._in_parts(self._staged, lambda where: [self._statements.delete(where)])
        return Accepted(tuple(sorted(self._refusals)))

    def _stage(self, piece: Piece) -> None:
        def attempt(start: int, end: int) -> None:
            self._session.run(FILL_STAGE + piece.text(start, end))

        for at, refused in faults(len(piece), attempt):
            self._unstage(failures.refusal(piece.first + at, refused, self._table, self._statements))

    def _ambiguous(self) -> Iterator[Refusal]:
        """Rows whose key an earlier one has, or several rows of the table."""
        key = self._statements.key
        if not self._distinct:
            for (place,) in self._session.rows(self._statements.find_again()):
                yield refusal(int(place), "duplicate_key", key)
        if not self._statements.unique_key:
            for (place,) in self._session.rows(self._statements.find_several()):
                yield refusal(int(place), "matches_several_rows", key)

    @property
    def _distinct(self) -> bool:
        """Whether no two keys are equal, as far as that is known without the table's collations."""
        columns = [column.fits for column in self._statements.columns if column.fits.key]
        if len(columns) > 1 or columns[0].kind is not Kind.INTEGER:
            return False
        keys = self._batch.column(columns[0].name)
        return bool(pc.count_distinct(keys).as_py() == len(keys)) and pa.types.is_integer(keys.type)

    def _take(self, found: Iterator[Refusal]) -> None:
        """Refuses rows, and removes them from the stage."""
        taken = {refusal.place: refusal for refusal in reversed([*found])}
        if taken:
            self._session.run(self._statements.take(sorted(taken)))
        for each in taken.values():
            self._unstage(each)

    def _plan(self) -> tuple[np.ndarray, np.ndarray]:
        """Which of the staged rows the table has, and which of those differ."""
        ((existing, changed),) = self._session.rows(self._statements.plan())
        return self._mask(existing), self._mask(changed)

    def _mask(self, places: str) -> np.ndarray:
        mask = np.zeros(len(self._staged), bool)
        if places:
            mask[np.fromstring(places, np.int64, sep=",")] = True
        return mask

    def _where(self, rows: np.ndarray) -> str:
        places = np.flatnonzero(rows)
        return "TRUE" if len(places) == int(self._staged.sum()) else among(places.tolist())

    def _update(self, changed: np.ndarray) -> None:
        where = self._where(changed)
        if self._passes(self._statements.update(where)):
            return
        if self._session.is_mariadb:
            self._run_block(update_each(self._statements, where, a_rows_fault=failures.a_rows_fault()))
        else:
            self._in_parts(changed, self._statements.upsert)

    def _insert(self, new: np.ndarray) -> bool:
        """Adds rows; whether they were added by one statement."""
        if self._passes(self._statements.insert(self._where(new), looks=False)):
            return True
        if not self._session.is_mariadb:
            # Another writer may have added one of them.
            self._in_parts(new, self._statements.upsert)
            return False
        left = self._insert_the_rest(new) if self._session.numbers_rows and not self._statements.filled else None
        if left is not None:
            each = insert_rows(self._statements, among(left.tolist()), a_rows_fault=failures.a_rows_fault())
        else:
            if others := np.flatnonzero(self._staged & ~new).tolist():
                self._session.run(self._statements.take(others))
            each = insert_each(self._statements, a_rows_fault=failures.a_rows_fault())
        self._run_block(each)
        return False

    def _insert_the_rest(self, new: np.ndarray) -> np.ndarray | None:
        """Adds the rows that break no constraint, and gives the places of the others; None where none was added."""
        self._session.run(f"SAVEPOINT {_SAVEPOINT}")
        left = None
        if self._passes(insert_the_rest(self._statements, self._where(new))):
            ((text,),) = self._session.rows(LEFT)
            left = left_places(text, np.flatnonzero(new))
        if left is None:
            self._session.run(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        return left

    def _passes(self, statement: str) -> bool:
        """Whether no row makes a statement fail."""
        try:
            self._session.run(statement)
        except Refused as refused:
            if failures.is_a_rows_fault(refused):
                return False
            raise
        return True

    def _run_block(self, block: str) -> None:
        for statement in (MAKE_BAD, EMPTY_BAD, block):
            self._session.run(statement)
        for place, code, text in self._session.rows(READ_BAD):
            self._refuse(int(place), Refused(int(code), text))

    def _in_parts(self, rows: np.ndarray, statements: Callable[[str], list[str]]) -> None:
        """Halves of what fails, until each row that does is found.

        Args:
            rows: Which of the staged ones.
            statements: Those for a condition.
        """
        places = np.flatnonzero(rows)

        def attempt(start: int, end: int) -> None:
            for statement in statements(among(places[start:end].tolist())):
                self._session.run(statement)

        for at, fault in faults(len(places), attempt):
            self._refuse(int(places[at]), fault)

    def _refuse(self, place: int, fault: Refused) -> None:
        self._refusals.append(failures.refusal(place, fault, self._table, self._statements))

    def _unstage(self, refusal: Refusal) -> None:
        """Refuses a row that is not in the stage."""
        self._refusals.append(refusal)
        self._staged[refusal.place] = False
