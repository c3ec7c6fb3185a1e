"""The next generation of what a sync's destination acknowledged: the last one, and what became of a run's rows.

What is certain is entered, what is not is in doubt: a row that was sent, or may have been, and has no answer has no
fingerprint afterwards, so that it is sent again whatever its values are then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reverse_etl.changes.compare import FINGERPRINTS_FILE, copy, parquet, repeats, row_groups
from reverse_etl.files.private import whole_file
from reverse_etl.ledger.journal import JOURNAL_FILE, Journal
from reverse_etl.report import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from reverse_etl.changeset.parts import Outcomes, Parts

ANSWERS_FILE: Final = "answers.parquet"

LEFT: Final = 0
"""Nothing happened to the row's key, or nothing that counts."""
ACKNOWLEDGED: Final = 1
_IN_DOUBT: Final = 2

_SCHEMA: Final = pa.schema(
    [
        ("kh", pa.uint64()),
        ("kl", pa.uint64()),
        ("rh", pa.uint64()),
        ("row", pa.int64()),
        ("sendable", pa.bool_()),
        ("answer", pa.uint8()),
    ]
)

_OF_KEYS: Final = f"""
    SELECT kh, kl, coalesce(arg_max(rh, row) FILTER (sendable), 0) AS rh,
        CASE WHEN bool_or(answer = {_IN_DOUBT}) OR count(DISTINCT answer) FILTER (sendable) > 1 THEN {_IN_DOUBT}
            ELSE max(answer) END AS answer
    FROM {{}} GROUP BY kh, kl
"""
"""One row a key: where its rows do not agree, it is in doubt."""


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
    """

    read_at: int
    whole: bool
    certain: bool
    other_shape: bool = False
    leave: bool = False
    expires_s: int | None = None


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
    _write_answers(parts, certain=reading.certain)
    database.execute("SET preserve_insertion_order = false")
    now = parquet(parts.folder / ANSWERS_FILE)
    if repeats(now, database):
        now = f"({_OF_KEYS.format(now)})"
    if before is None:
        query = f"""
            SELECT kh, kl, CASE WHEN answer = {ACKNOWLEDGED} THEN rh END AS rh, answer = {ACKNOWLEDGED} AS known,
                NULL::BIGINT AS gone_at
            FROM {now} WHERE answer <> {LEFT}
        """
    else:
        was = "NULL" if reading.other_shape else "o.rh"
        if reading.leave and reading.whole:
            was = f"CASE WHEN n.kh IS NOT NULL THEN {was} END"
        gone_at = (
            f"CASE WHEN n.kh IS NULL THEN coalesce(o.gone_at, {reading.read_at}) END" if reading.whole else "o.gone_at"
        )
        query = f"""
            SELECT coalesce(n.kh, o.kh) AS kh, coalesce(n.kl, o.kl) AS kl,
                CASE coalesce(n.answer, {LEFT}) WHEN {ACKNOWLEDGED} THEN n.rh WHEN {LEFT} THEN {was} END AS rh,
                coalesce(o.known, false) OR coalesce(n.answer = {ACKNOWLEDGED}, false) AS known,
                CASE WHEN n.kh IS NULL THEN {gone_at} END AS gone_at
            FROM {now} n FULL JOIN {parquet(before)} o ON n.kh = o.kh AND n.kl = o.kl
            WHERE NOT (o.kh IS NULL AND n.answer = {LEFT})
        """
        if reading.expires_s is not None and reading.whole:
            oldest = reading.read_at - reading.expires_s
            query += f" AND NOT (n.kh IS NULL AND coalesce(o.gone_at, {reading.read_at}) < {oldest})"
    keys = copy(database, query, after)
    [(gone,)] = database.execute(f"SELECT count(gone_at) FROM {parquet(after)}").fetchall()
    return keys, gone


def forget_answers(parts: Parts) -> None:
    """Removes what a commit wrote beside the rows for others that enter them too."""
    (parts.folder / ANSWERS_FILE).unlink(missing_ok=True)


def doubt_all(before: Path, after: Path, database: duckdb.DuckDBPyConnection) -> int:
    """Writes a generation in which every key of another one is in doubt; returns how many. Raises StateError."""
    database.execute("SET preserve_insertion_order = false")
    return copy(database, f"SELECT kh, kl, NULL::UBIGINT AS rh, known, gone_at FROM {parquet(before)}", after)


def _write_answers(parts: Parts, *, certain: bool) -> None:
    rows = sum(pq.read_metadata(path).num_rows for path in parts.paths())
    answers = _answers(parts, parts.outcomes(rows), certain=certain)
    with (
        whole_file(parts.folder / ANSWERS_FILE) as file,
        pq.ParquetWriter(file, _SCHEMA, compression="none", use_dictionary=False) as writer,
    ):
        for batch in row_groups(parts.folder / FINGERPRINTS_FILE):
            answer = pa.array(answers[batch.column("row").to_numpy() - 1])
            writer.write_batch(pa.RecordBatch.from_arrays([*batch.columns, answer], schema=_SCHEMA))


def _answers(parts: Parts, outcomes: Outcomes, *, certain: bool) -> Outcomes:
    """What is known of each row, by row number - 1."""
    meaning = bytearray([LEFT] * 256)
    meaning[Outcome.DELIVERED] = ACKNOWLEDGED
    # Or nothing of what differs is sent: then this is what the row is compared with from now on.
    meaning[Outcome.UNCHANGED] = ACKNOWLEDGED
    meaning[Outcome.UNDELIVERED] = _IN_DOUBT
    if not certain:
        # The checks, too, may have let a row pass when it was sent before.
        for outcome in (Outcome.REFUSED, Outcome.EXCLUDED, Outcome.REJECTED):
            meaning[outcome] = _IN_DOUBT
    # A byte a row, without the eight that an index takes.
    answers: Outcomes = np.frombuffer(bytearray(outcomes.tobytes().translate(bytes(meaning))), np.uint8)
    for entry in Journal(parts.folder / JOURNAL_FILE).entries():
        if entry.outcome is Outcome.DELIVERED:
            # Accepted, and reported afterwards as not applied, or kept back when the checks were run again.
            places = entry.places()
            answers[places[~np.isin(outcomes[places], (Outcome.DELIVERED, Outcome.UNCHANGED))]] = _IN_DOUBT
    return answers
