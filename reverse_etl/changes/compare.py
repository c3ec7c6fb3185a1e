"""One stream's rows compared with what the destination acknowledged: which of them are to be sent.

    <run folder>/<stream>/plan.parquet    what differs: ``row`` (null where gone), ``kh``, ``kl``, ``what``

Only fingerprints are compared, never values, so that memory does not grow with the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reverse_etl.changes.keyed import FINGERPRINTS_FILE
from reverse_etl.changes.repeated import repeats
from reverse_etl.changes.row_groups import row_groups
from reverse_etl.report import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from reverse_etl.changeset.parts import Outcomes, Parts
    from reverse_etl.config.gone import Gone

PLAN_FILE: Final = "plan.parquet"

_OF_CHECKS: Final = (Outcome.REJECTED, Outcome.EXCLUDED)
_LAST: Final = """
    SELECT kh, kl, arg_max(rh, row) FILTER (sendable) AS rh, list(row) FILTER (sendable) AS rows,
        bool_or(sendable) AS sendable, {deleted} AS deleted
    FROM {now} GROUP BY kh, kl
"""
_NOTHING: Final = (
    "(SELECT 0::UBIGINT AS kh, 0::UBIGINT AS kl, 0::UBIGINT AS rh, true AS known, 0::BIGINT AS gone_at WHERE false)"
)


@dataclass(frozen=True, slots=True)
class Differences:
    """How many rows of a stream there are of each kind.

    Attributes:
        added: With a key that was never acknowledged.
        changed: With another value than the one that was acknowledged.
        in_doubt: Sent before without an answer, or to be sent again whatever was acknowledged.
        unchanged: As they were acknowledged.
        gone: Keys that were acknowledged and that no row has.
        settled: Of the unchanged, those that read differently, without anything in it that is sent.
        attributes: In how many of the changed rows an attribute differs, by its name, as far as that is known.
        deleted: Of the rows that are sent, those that say of themselves that they are gone.
    """

    added: int = 0
    changed: int = 0
    in_doubt: int = 0
    unchanged: int = 0
    gone: int = 0
    settled: int = 0
    attributes: dict[str, int] = field(default_factory=dict)
    deleted: int = 0

    @property
    def to_send(self) -> int:
        """Rows that are sent."""
        return self.added + self.changed + self.in_doubt


def as_checked(outcomes: Outcomes) -> Outcomes:
    """The outcomes as the checks left them: what a comparison or a delivery has made of them before is taken back.

    What was delivered is in the journal.
    """
    # ``isin`` would take eight bytes a row.
    kept_back = np.logical_or(*(outcomes == each for each in _OF_CHECKS))
    return np.where(kept_back, outcomes, np.uint8(Outcome.UNDELIVERED))


def write_plan(
    parts: Parts,
    before: Path | None,
    database: duckdb.DuckDBPyConnection,
    *,
    all_rows: bool,
    gone: Gone | None = None,
    among: Path | None = None,
    again: Path | None = None,
    certain: bool = True,
) -> None:
    """Writes what differs from what was acknowledged. Raises StateError.

    Args:
        parts: The rows, with their fingerprints.
        before: What was acknowledged, as ``generation.SCHEMA``; None for nothing.
        database: For a while.
        all_rows: Whether every row is in doubt.
        gone: What becomes of what is gone: of rows that say so of themselves, those alone are sent that may be there.
        among: As ``gone_of`` takes it.
        again: The numbers of rows that are in doubt, whatever was acknowledged of them; None for none.
        certain: Whether none of these rows was sent before, and not entered: the last row of a key may be as it was
            acknowledged, while an earlier one has arrived since.
    """
    database.execute("SET preserve_insertion_order = false")
    now = parquet(parts.folder / FINGERPRINTS_FILE)
    old = _NOTHING if before is None else parquet(before)
    acknowledged = "NULL::UBIGINT" if all_rows else "o.rh"
    if again is not None and not all_rows:
        lost = f"SELECT 1 FROM {parquet(again)} a JOIN {now} r USING (row) WHERE r.kh = n.kh AND r.kl = n.kl"
        acknowledged = f"CASE WHEN NOT EXISTS ({lost}) THEN o.rh END"
    last, row = now, "n.row"
    if repeats(parts.folder / FINGERPRINTS_FILE):
        # The last row of a key says what becomes of it: all of its rows are sent, or none.
        deleted = "arg_max(deleted, row) FILTER (sendable)" if gone else "false"
        last, row = f"({_LAST.format(now=now, deleted=deleted)})", "unnest(coalesce(n.rows, [NULL::BIGINT]))"
        acknowledged = acknowledged if certain else f"CASE WHEN len(n.rows) = 1 THEN {acknowledged} END"
    there = "NOT n.deleted OR (o.kh IS NOT NULL" + (" AND o.known)" if gone and gone.keeps_unknown else ")")
    differs = f"""
        SELECT {row} AS row, coalesce(n.kh, o.kh) AS kh, coalesce(n.kl, o.kl) AS kl,
            CASE WHEN n.kh IS NULL THEN 'gone' WHEN o.kh IS NULL THEN 'added'
                WHEN {acknowledged} IS NULL THEN 'in_doubt' ELSE 'changed' END AS what
        FROM {last} n FULL JOIN {old} o ON n.kh = o.kh AND n.kl = o.kl
        WHERE (n.kh IS NULL AND {_may_be_gone("o", among)})
            OR (n.sendable AND {acknowledged} IS DISTINCT FROM n.rh AND ({there if gone else "true"}))
    """
    copy(database, differs, parts.folder / PLAN_FILE)


def gone_of(old: str, among: Path | None) -> str:
    """The acknowledged keys that are gone if no row has them, as a table.

    Args:
        old: What was acknowledged, as a table.
        among: The fingerprints of keys that have no row any more, and beside which those alone are gone that were
            before; None: all rows were read.
    """
    return old if among is None else f"(SELECT * FROM {old} g WHERE {_may_be_gone('g', among)})"


def _may_be_gone(key: str, among: Path | None) -> str:
    """Whether an acknowledged key is gone if no row has it, of a row of the table by that name."""
    if among is None:
        return "true"
    named = f"SELECT 1 FROM {parquet(among)} a WHERE a.kh = {key}.kh AND a.kl = {key}.kl"
    return f"({key}.gone_at IS NOT NULL OR EXISTS ({named}))"


def enter_plan(parts: Parts, outcomes: Outcomes, attributes: dict[str, int] | None = None) -> Differences:
    """Marks the rows that are not to be sent as unchanged, and counts; ``outcomes`` are changed in place.

    Args:
        parts: The rows, with their plan.
        outcomes: Of the checks.
        attributes: How many rows differ in an attribute, by its name; None where that is not known.
    """
    valid = int(np.count_nonzero(outcomes == Outcome.UNDELIVERED))
    outcomes[outcomes == Outcome.UNDELIVERED] = Outcome.UNCHANGED
    counted = dict.fromkeys(("added", "changed", "in_doubt", "settled", "gone"), 0)
    for batch in row_groups(parts.folder / PLAN_FILE, ["what", "row"]):
        rows = batch.column("row").filter(pc.not_equal(batch.column("what"), "settled")).drop_null().to_numpy()
        outcomes[rows - 1] = Outcome.UNDELIVERED
        for each in pc.value_counts(batch.column("what")):
            counted[each["values"].as_py()] += each["counts"].as_py()
    sent = counted["added"] + counted["changed"] + counted["in_doubt"]
    return Differences(unchanged=valid - sent, attributes=attributes or {}, **counted)


def count_deleted(parts: Parts, database: duckdb.DuckDBPyConnection) -> int:
    """How many of the rows that are to be sent say of themselves that they are gone."""
    plan, now = parquet(parts.folder / PLAN_FILE), parquet(parts.folder / FINGERPRINTS_FILE)
    [(found,)] = database.execute(f"SELECT count(*) FROM {plan} p JOIN {now} n USING (row) WHERE n.deleted").fetchall()
    return int(found)


def copy(database: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    """Writes a query's result as a Parquet file, whole or not at all, for its owner alone; returns how many rows.

    Raises:
        StateError: It cannot be written.
    """
    import duckdb

    from reverse_etl.errors import StateError
    from reverse_etl.files.private import PRIVATE_FILE, partial_of

    partial = partial_of(path)
    try:
        database.execute(f"COPY ({query}) TO '{_quoted(partial)}' (FORMAT parquet, COMPRESSION zstd)")
        partial.chmod(PRIVATE_FILE)
        rows: int = pq.read_metadata(partial).num_rows
        partial.replace(path)
    except (duckdb.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else "the disk is full, or fails"
        raise StateError(f"{path} cannot be written: {reason}.", hint="Free some space, then run again.") from None
    return rows


def parquet(path: Path) -> str:
    """A Parquet file as a table of DuckDB's SQL."""
    return f"read_parquet('{_quoted(path)}')"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
