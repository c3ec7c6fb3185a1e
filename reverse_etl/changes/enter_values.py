"""The values of the next generation: what was acknowledged before, and what became of a run's rows.

What was acknowledged is entered, over what was there: an attribute that was left out stays as it stands in the
destination. What was sent without an answer is unknown, unless it is what was there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reverse_etl.changes.attributes import OTHERWISE, SENT_FILE
from reverse_etl.changes.chosen import AS_IT_IS, CHANGED_FILE, CHOSEN
from reverse_etl.changes.commit import ACKNOWLEDGED, ANSWERS_FILE, LEFT
from reverse_etl.changes.compare import copy, parquet
from reverse_etl.changes.repeated import repeats
from reverse_etl.changes.values import UNKNOWN, columns, latest_values

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from reverse_etl.changes.attributes import StreamValues
    from reverse_etl.changeset.parts import Parts

_ENDED: Final = f"(s.what = '{OTHERWISE}' AND s.certain)"
"""The row says of itself that it is gone, and the destination let go of it; its key may stay known."""

_ELSEWHERE: Final = 0.25
"""Above this share of the keys, in other files than the oldest one, all values are written again."""


def enter_values(
    parts: Parts,
    *,
    acknowledged: tuple[Path | None, Path],
    files: Sequence[Path],
    after: Path,
    values: StreamValues,
    database: duckdb.DuckDBPyConnection,
) -> tuple[int, bool]:
    """Writes the values that a run has changed, or where it is time, or none are known, those of all keys.

    Args:
        parts: The run's rows, with their texts and their answers.
        acknowledged: The fingerprints of the generation before, None for nothing, and of this one.
        files: The values that were acknowledged before, the oldest first; none where they are not known.
        after: The file that is written.
        values: What the comparison knew of them.
        database: For a while.

    Returns:
        How many rows it has, and whether the files before it are needed no more.

    Raises:
        StateError: It cannot be written.
    """
    before, now = acknowledged
    names = columns(values.names)
    old = latest_values(files, values.names, database) if files else _nothing(names)
    answered = _answered(parts, values)
    rows = copy(database, _entries(answered, old, names, before=before, now=now), after)
    if not files:
        return rows, True
    newer = sum(_rows(path, database) for path in files[1:]) + rows
    keys = _rows(now, database)
    if newer <= keys * _ELSEWHERE:
        return rows, False
    columns_ = ", ".join(("kh", "kl", "key", *names))
    every = f"""
        SELECT {columns_}, own, gone, added FROM {parquet(after)}
        UNION ALL
        SELECT {columns_}, false, gone, false FROM {old}
        ANTI JOIN {parquet(after)} USING (kh, kl) SEMI JOIN {parquet(now)} USING (kh, kl)
    """
    return copy(database, every, after), True


def _answered(parts: Parts, values: StreamValues) -> str:
    """The rows that were sent, one a key: their texts, and whether they were acknowledged.

    Rows of one key may have arrived in any order, and in part: then their texts are no more than a guess.
    """
    names = columns(values.names)
    sent, answers = parquet(parts.folder / SENT_FILE), parquet(parts.folder / ANSWERS_FILE)
    marks = ""
    if (parts.folder / CHANGED_FILE).exists():
        marks = f"LEFT JOIN {parquet(parts.folder / CHANGED_FILE)} c ON c.row = s.row"
    texts = [
        f"CASE WHEN c.row IS NULL OR c.attributes[{place}] = '{chr(AS_IT_IS)}' THEN s.{name} "
        f"WHEN c.attributes[{place}] = '{chr(CHOSEN)}' THEN coalesce(s.{name}, '{values.cleared}') END AS {name}"
        if marks
        else f"s.{name}"
        for place, name in enumerate(names, start=1)
    ]
    chosen = ", ".join(("s.kh", "s.kl", "s.key", "s.what", f"a.answer = {ACKNOWLEDGED} AS certain", *texts))
    found = f"SELECT {chosen} FROM {sent} s JOIN {answers} a ON a.row = s.row {marks} WHERE a.answer <> {LEFT}"
    if not repeats(parts.folder / SENT_FILE):
        return f"({found})"
    most = ", ".join(
        f"CASE WHEN count(*) > 1 AND max({name}) IS NOT NULL THEN '{UNKNOWN}' ELSE max({name}) END AS {name}"
        for name in names
    )
    one = ", ".join(("kh", "kl", "any_value(key) AS key", "any_value(what) AS what", "bool_and(certain) AS certain"))
    return f"(SELECT {one}{', ' if names else ''}{most} FROM ({found}) GROUP BY kh, kl)"


def _entries(answered: str, old: str, names: Sequence[str], *, before: Path | None, now: Path) -> str:
    """The values that differ from what was known of them, and those of which nothing is known any more."""
    was = {name: f"CASE WHEN s.what <> 'added' THEN o.{name} END" for name in names}
    texts = "".join(
        f", CASE WHEN {_ENDED} THEN NULL WHEN s.what = '{OTHERWISE}' THEN "
        f"CASE WHEN {was[name]} IS NOT NULL THEN '{UNKNOWN}' END "
        f"WHEN s.certain THEN coalesce(s.{name}, {was[name]}) "
        f"WHEN s.{name} IS NULL OR s.{name} = {was[name]} THEN {was[name]} ELSE '{UNKNOWN}' END AS {name}"
        for name in names
    )
    differs = "".join(f" OR n.{name} IS DISTINCT FROM n.was_{name}" for name in names)
    kept = "".join(f", {was[name]} AS was_{name}" for name in names)
    plain = "".join(f", n.{name}" for name in names)
    found = f"""
        SELECT n.kh, n.kl, n.key{plain}, n.what <> 'unchanged' AS own, n.ended AS gone,
            n.what = 'added' AS added
        FROM (
            SELECT s.kh, s.kl, s.key, s.what, o.kh IS NULL OR s.what = 'added' AS is_new, {_ENDED} AS ended,
                coalesce(o.gone, false) AS was_gone{texts}{kept}
            FROM {answered} s LEFT JOIN {old} o ON s.kh = o.kh AND s.kl = o.kl
        ) n
        WHERE n.is_new OR n.ended <> n.was_gone{differs}
    """
    if before is None:
        return found
    # The row leaves no value behind, but a mark, for `history` and `undo`.
    nothing = "".join(f", NULL::VARCHAR AS {name}" for name in names)
    removed = f"""
        SELECT o.kh, o.kl, o.key{nothing}, true AS own, true AS gone, false AS added
        FROM {old} o SEMI JOIN {parquet(before)} b ON o.kh = b.kh AND o.kl = b.kl
        ANTI JOIN {parquet(now)} n ON o.kh = n.kh AND o.kl = n.kl
    """
    known = f"SELECT * FROM ({found}) SEMI JOIN {parquet(now)} USING (kh, kl) UNION ALL {removed}"
    if not names:
        return known
    lost = ", ".join(f"CASE WHEN o.{name} IS NOT NULL THEN '{UNKNOWN}' END AS {name}" for name in names)
    anything = " OR ".join(f"o.{name} <> '{UNKNOWN}'" for name in names)
    return f"""
        {known} UNION ALL
        SELECT o.kh, o.kl, o.key, {lost}, true AS own, false AS gone, false AS added
        FROM {old} o
        SEMI JOIN (
            SELECT n.kh, n.kl FROM {parquet(now)} n JOIN {parquet(before)} b ON n.kh = b.kh AND n.kl = b.kl
            WHERE n.rh IS NULL AND b.rh IS NOT NULL
        ) d ON o.kh = d.kh AND o.kl = d.kl
        ANTI JOIN {answered} s ON o.kh = s.kh AND o.kl = s.kl
        WHERE {anything}
    """


def _nothing(names: Sequence[str]) -> str:
    texts = "".join(f", ''::VARCHAR AS {name}" for name in names)
    return f"(SELECT 0::UBIGINT AS kh, 0::UBIGINT AS kl, ''::VARCHAR AS key, false AS gone{texts} WHERE false)"


def _rows(path: Path, database: duckdb.DuckDBPyConnection) -> int:
    [(rows,)] = database.execute(f"SELECT count(*) FROM {parquet(path)}").fetchall()
    return int(rows)
