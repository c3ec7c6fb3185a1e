"""One slice of rows: staged, looked at, written by one statement, and read back.

MERGE is a transaction of its own. Its query id is known while it runs: where the session is lost meanwhile, another
one learns from it what became of the statement.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pyarrow as pa

from reverse_etl.destinations._sql.refusals import refusal
from reverse_etl.destinations.base import Accepted, Refusal
from reverse_etl.destinations.left_out import left_out_by
from reverse_etl.destinations.snowflake.staged_file import staged_file
from reverse_etl.destinations.snowflake.statements import FILES, MAKE_FILES

if TYPE_CHECKING:
    from reverse_etl.destinations.snowflake.connection import Session
    from reverse_etl.destinations.snowflake.statements import Statements

_MANY: Final = 10_000
"""Places that one statement names."""
_HIDDEN: Final = "it was written without an error and is not there: another writer, or a policy of the table"


class Slice:
    """Rows on their way into the table. Methods raise ``Refused`` where a statement fails.

    Args:
        session: Of the table's database.
        statements: Those for the table.
        batch: As ``fit`` gives it.
    """

    def __init__(self, session: Session, statements: Statements, batch: pa.RecordBatch) -> None:
        self._session = session
        self._statements = statements
        self._batch = batch

    def stage(self) -> None:
        """Fills the stage."""
        self.stage_all(self._session, self._statements, [self._batch])

    @staticmethod
    def stage_all(session: Session, statements: Statements, batches: Iterable[pa.RecordBatch]) -> None:
        """Fills the stage with the rows of several batches."""
        if not session.has_files:
            session.run(MAKE_FILES)
            session.has_files = True
        session.run(statements.make_stage())
        for batch in batches:
            name = f"{uuid4().hex}.parquet"
            session.put(name, staged_file(batch), FILES)
            session.run(statements.fill_stage(batch.schema, name))

    def plan(self) -> Accepted:
        """Takes the rows out of the stage that are not written, and gives the answer if the others are."""
        refusals, excluded = [], []
        for place, nth, matches, lacks in self._session.rows(self._statements.plan()):
            refused = self._refused(int(place), int(nth), int(matches), lacks)
            if refused is None:
                excluded.append(int(place))
            else:
                refusals.append(refused)
        taken = sorted(each.place for each in refusals)
        for start in range(0, len(taken), _MANY):
            self._session.run(self._statements.take(taken[start : start + _MANY]))
        return Accepted(tuple(sorted(refusals)), left_out_by(self._statements.write, excluded))

    def read_back(self, answer: Accepted) -> Accepted:
        """An answer, with a refusal of each row that is not in the table as it was written."""
        kept = {*(each.place for each in answer.refusals), *(each.place for each in answer.excluded)}
        unlike = sorted(int(place) for (place,) in self._session.rows(self._statements.unlike()))
        hidden = [refusal(place, "not_applied", message=_HIDDEN) for place in unlike if place not in kept]
        return Accepted(tuple(sorted([*answer.refusals, *hidden])), answer.excluded)

    def delete(self) -> Accepted:
        """Deletes the rows with these keys, or marks them; what is still there afterwards another writer has added."""
        self._session.run(self._statements.merge() if self._statements.marks else self._statements.delete())
        if self._statements.marks:
            return Accepted()
        left = sorted(int(place) for (place,) in self._session.rows(self._statements.still_there()))
        return Accepted(tuple(refusal(place, "not_applied", message="another writer added it again") for place in left))

    def _refused(self, place: int, nth: int, matches: int, lacks: int | None) -> Refusal | None:
        """Why a row cannot be written; None where it is left out by choice."""
        key = self._statements.key
        if nth > 1:
            return refusal(place, "duplicate_key", key)
        if matches > 1:
            return refusal(place, "matches_several_rows", key)
        if lacks is not None:
            return refusal(place, "null", (self._statements.columns[int(lacks)].fits.name,))
        return None
