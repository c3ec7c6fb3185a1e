"""The next generation of what a sync's destination acknowledged: the last one, and what became of a run's rows.

What is certain is entered, what is not is in doubt. A row that was or may have been sent, and has no answer, has no
fingerprint afterwards. So it is sent again, whatever its values are then.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reverse_etl.changes.compare import copy, parquet
from reverse_etl.changes.gone import named, removed
from reverse_etl.changes.keyed import FINGERPRINTS_FILE, NAMED
from reverse_etl.changes.repeated import repeats
from reverse_etl.changes.row_groups import row_groups
from reverse_etl.files.private import whole_file
from reverse_etl.ledger.journal import JOURNAL_FILE, Journal
from reverse_etl.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from reverse_etl.changeset.parts import Outcomes, Parts

ANSWERS_FILE: Final = "answers.parquet"
_REMOVED_FILE: Final = "removed.parquet"

_ROWS_AT_ONCE: Final = 65_536

LEFT: Final = 0
"""Nothing happened to the row's key, or nothing that counts."""
ACKNOWLEDGED: Final = 1
_IN_DOUBT: Final = 2

_EMPTY: Final = pa.schema(
    [
        *(("kh", pa.uint64()), ("kl", pa.uint64()), ("rh", pa.uint64()), ("row", pa.int64())),
        *(("sendable", pa.bool_()), *NAMED, ("deleted", pa.bool_()), ("answer", pa.uint8())),
    ]
)
"""Of a file without rows."""

_OF_NAMED: Final = " arg_max(key, row) AS key, arg_max(other, row) AS other, arg_max(deleted, row) AS deleted,"

_OF_KEYS: Final = f"""
    SELECT kh, kl, coalesce(arg_max(rh, row) FILTER (sendable), 0) AS rh,{{named}}
        CASE WHEN bool_or(answer = {_IN_DOUBT}) OR count(DISTINCT answer) FILTER (sendable) > 1
            OR max(turn) > arg_max(turn, row) FILTER (sendable) THEN {_IN_DOUBT} ELSE max(answer) END AS answer
    FROM {{now}} GROUP BY kh, kl
"""
"""One row a key: where its rows do not agree, or an earlier one was accepted after the last one, it is in doubt."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a commit needs to know of the run whose rows it enters.

    Attributes:
        read_at: When the rows were read, Unix seconds.
        whole: Whether they are all rows: a key that none of them has is gone.
        certain: Whether no row was sent twice: a refusal then says that nothing was applied.
        other_shape: Whether rows were acknowledged in another shape than the one that they are sent in now.
        leave: Whether who is gone also leaves a segment: once back, they are sent again, whatever their values are.
        expires_s: Keys that are gone for longer are forgotten, seconds; None: never.
        named: Whether the keys themselves are remembered, so that they can be removed.
        among: The fingerprints of keys that are gone where no row has them; None: all of them are, if ``whole``.
        removals: The rows that stand for keys that were to be removed; None where there are none.
    """

    read_at: int
    whole: bool
    certain: bool
    other_shape: bool = False
    leave: bool = False
    expires_s: int | None = None
    named: bool = False
    among: Path | None = None
    removals: Parts | None = None


def commit(
    parts: Parts, before: Path | None, after: Path, database: duckdb.DuckDBPyConnection, reading: Reading
) -> tuple[int, int]:
    """Writes what a stream's destination acknowledged once a run has ended; returns how many keys, and how many gone.

    Args:
        parts: The run's rows, with their fingerprints, outcomes and journal.
        before: What was acknowledged before; None for nothing.
        after: The file that is written, as ``generation.SCHEMA``.
        database: For a while.
        reading: What the run was.

    Raises:
        StateError: It cannot be written.
    """
    database.execute("SET preserve_insertion_order = false")
    repeated = repeats(parts.folder / FINGERPRINTS_FILE)
    _write_answers(parts, reading, with_turns=repeated)
    now = parquet(parts.folder / ANSWERS_FILE)
    if repeated:
        now = f"({_OF_KEYS.format(now=now, named=_OF_NAMED if reading.named else '')})"
    query = _first(now, reading) if before is None else _following(now, parts, before, reading)
    keys = copy(database, query, after)
    (parts.folder / _REMOVED_FILE).unlink(missing_ok=True)
    [(gone,)] = database.execute(f"SELECT count(gone_at) FROM {parquet(after)}").fetchall()
    return keys, gone


def forget_answers(parts: Parts) -> None:
    """Removes what a commit wrote beside the rows for others that enter them too."""
    (parts.folder / ANSWERS_FILE).unlink(missing_ok=True)


def _first(now: str, reading: Reading) -> str:
    """What is acknowledged where nothing was before."""
    also = ", key, other" if reading.named else ""
    kept = f"answer <> {LEFT}"
    if reading.named:
        kept += f" AND NOT (deleted AND answer = {ACKNOWLEDGED})"
    return f"""
        SELECT kh, kl, CASE WHEN answer = {ACKNOWLEDGED} THEN rh END AS rh, answer = {ACKNOWLEDGED} AS known,
            NULL::BIGINT AS gone_at{also}
        FROM {now} WHERE {kept}
    """


def _following(now: str, parts: Parts, before: Path, reading: Reading) -> str:
    """What is acknowledged after what was before."""
    was = "NULL" if reading.other_shape else "o.rh"
    if reading.leave and reading.whole:
        was = f"CASE WHEN n.kh IS NOT NULL THEN {was} END"
    old, also, removed = parquet(before), "", ""
    missing = "true" if reading.whole else "false"
    if reading.among is not None:
        missing = f"EXISTS (SELECT 1 FROM {parquet(reading.among)} a WHERE a.kh = o.kh AND a.kl = o.kl)"
    kept = f"NOT (o.kh IS NULL AND n.answer = {LEFT})"
    if reading.named:
        old = named(before)
        also = ", coalesce(n.key, o.key) AS key, CASE WHEN n.kh IS NULL THEN o.other ELSE n.other END AS other"
        # What the destination was made to let go of is not there because of this sync.
        kept += f" AND NOT (n.kh IS NOT NULL AND n.deleted AND n.answer = {ACKNOWLEDGED})"
    if reading.removals is not None:
        _write_removed(parts, reading.removals, reading)
        removed = f"LEFT JOIN {parquet(parts.folder / _REMOVED_FILE)} r ON r.kh = o.kh AND r.kl = o.kl"
        kept += f" AND r.answer IS DISTINCT FROM {ACKNOWLEDGED}"
        was = f"CASE WHEN r.answer IS DISTINCT FROM {_IN_DOUBT} THEN {was} END"
    if reading.expires_s is not None and reading.whole:
        oldest = reading.read_at - reading.expires_s
        kept += f" AND NOT (n.kh IS NULL AND coalesce(o.gone_at, {reading.read_at}) < {oldest})"
    gone_at = f"CASE WHEN {missing} THEN coalesce(o.gone_at, {reading.read_at}) ELSE o.gone_at END"
    return f"""
        SELECT coalesce(n.kh, o.kh) AS kh, coalesce(n.kl, o.kl) AS kl,
            CASE coalesce(n.answer, {LEFT}) WHEN {ACKNOWLEDGED} THEN n.rh WHEN {LEFT} THEN {was} END AS rh,
            coalesce(o.known, false) OR coalesce(n.answer = {ACKNOWLEDGED}, false) AS known,
            CASE WHEN n.kh IS NULL THEN {gone_at} END AS gone_at{also}
        FROM {now} n FULL JOIN {old} o ON n.kh = o.kh AND n.kl = o.kl {removed}
        WHERE {kept}
    """


def doubt_all(before: Path, after: Path, database: duckdb.DuckDBPyConnection) -> int:
    """Writes a generation in which every key of another one is in doubt; returns how many. Raises StateError."""
    database.execute("SET preserve_insertion_order = false")
    return copy(database, f"SELECT * REPLACE (NULL::UBIGINT AS rh) FROM {parquet(before)}", after)


def _write_answers(parts: Parts, reading: Reading, *, with_turns: bool) -> None:
    """Writes the rows' fingerprints with what is known of each, and where keys repeat, in which turn each arrived."""
    keyed = row_groups(parts.folder / FINGERPRINTS_FILE)
    if with_turns:
        keyed = _with_turns(parts, keyed)
    _write_known(parts, keyed, parts.folder / ANSWERS_FILE, reading)


def _with_turns(parts: Parts, keyed: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Adds ``turn``: the place in the journal of the request that brought the row last; 0 for none."""
    turns = np.zeros(_rows(parts), np.uint32)
    for turn, entry in enumerate(Journal(parts.folder / JOURNAL_FILE).entries(), start=1):
        if entry.outcome is Outcome.DELIVERED:
            turns[entry.places()] = turn
    for batch in keyed:
        yield batch.append_column("turn", pa.array(turns[batch.column("row").to_numpy() - 1]))


def _rows(parts: Parts) -> int:
    return sum(pq.read_metadata(path).num_rows for path in parts.paths())


def _write_removed(parts: Parts, removals: Parts, reading: Reading) -> None:
    """Writes the keys that were to be removed with what is known of each."""
    _write_known(removals, removed(parts), parts.folder / _REMOVED_FILE, reading)


def _write_known(parts: Parts, keyed: Iterator[pa.RecordBatch], path: Path, reading: Reading) -> None:
    answers = _answers(parts, parts.outcomes(_rows(parts)), certain=reading.certain)
    with ExitStack() as stack:
        file, writer = stack.enter_context(whole_file(path)), None
        for batch in keyed:
            answer = pa.array(answers[batch.column("row").to_numpy() - 1])
            with_answer = batch.append_column("answer", answer)
            if writer is None:
                writer = pq.ParquetWriter(file, with_answer.schema, compression="none", use_dictionary=False)
                stack.enter_context(writer)
            writer.write_batch(with_answer)
        if writer is None:
            stack.enter_context(pq.ParquetWriter(file, _EMPTY))


def _answers(parts: Parts, outcomes: Outcomes, *, certain: bool) -> Outcomes:
    """What is known of each row, by row number - 1."""
    meaning = np.full(256, LEFT, np.uint8)
    meaning[Outcome.DELIVERED] = ACKNOWLEDGED
    # Or nothing of what differs is sent: then this is what the row is compared with from now on.
    meaning[Outcome.UNCHANGED] = ACKNOWLEDGED
    meaning[Outcome.UNDELIVERED] = _IN_DOUBT
    if not certain:
        # The checks, too, may have let a row pass when it was sent before.
        for outcome in (Outcome.REFUSED, Outcome.EXCLUDED, Outcome.REJECTED):
            meaning[outcome] = _IN_DOUBT
    answers: Outcomes = np.empty(len(outcomes), np.uint8)
    for start in range(0, len(outcomes), _ROWS_AT_ONCE):
        # An index takes eight bytes a row.
        answers[start : start + _ROWS_AT_ONCE] = meaning[outcomes[start : start + _ROWS_AT_ONCE]]
    for entry in Journal(parts.folder / JOURNAL_FILE).entries():
        places = entry.places()
        # The run stopped when it had compared again, before it looked at what was answered before.
        not_entered = places[outcomes[places] == Outcome.UNDELIVERED]
        if entry.outcome is Outcome.DELIVERED:
            # Accepted, and reported afterwards as not applied, or kept back when the checks were run again.
            answers[places[~np.isin(outcomes[places], (Outcome.DELIVERED, Outcome.UNCHANGED))]] = _IN_DOUBT
            answers[not_entered] = ACKNOWLEDGED
        else:
            answers[not_entered] = _IN_DOUBT
    return answers
