"""What was acknowledged of one row, run by run, as far as the values of earlier generations are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reverse_etl.changes.values import UNKNOWN, all_columns, columns

if TYPE_CHECKING:
    import duckdb

    from reverse_etl.changes.generation import Generations, Made

Key = tuple[int, int]
"""The two fingerprints of a key."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What one run changed of a row.

    Attributes:
        run_id: The run that sent it.
        at: When its answers were entered, Unix seconds.
        attributes: The old and the new text of each attribute; an old one is None where nothing of ours was there or it
            is not known, a new one where no answer says whether it arrived.
        removed: Whether it removed the row, because it was gone.
    """

    run_id: str
    at: int
    attributes: dict[str, tuple[str | None, str | None]]
    removed: bool = False


def history_of(
    generations: Generations, chain: list[tuple[int, Made]], stream: str, key: Key, database: duckdb.DuckDBPyConnection
) -> list[Acknowledged]:
    """What was acknowledged of a key, the newest run first.

    Args:
        generations: The files.
        chain: The generations that there still are, the newest first: ``Generations.chain``.
        stream: The stream.
        key: The row's.
        database: For a while.
    """
    found: list[Acknowledged] = []
    before: dict[str, str | None] = {}
    for number, made in reversed(chain):
        texts = _texts(generations, number, made, stream, key, database)
        if texts is None:
            continue
        now, own, gone = texts
        if gone:
            found.append(Acknowledged(made.sent_by or made.run_id, made.made_at or made.read_at, {}, removed=True))
            before = {}
            continue
        differs = {
            name: (_shown(before.get(name)), _shown(text)) for name, text in now.items() if before.get(name) != text
        }
        if own and differs:
            found.append(Acknowledged(made.sent_by or made.run_id, made.made_at or made.read_at, differs))
        before = now
    return found[::-1]


def _texts(
    generations: Generations, number: int, made: Made, stream: str, key: Key, database: duckdb.DuckDBPyConnection
) -> tuple[dict[str, str | None], bool, bool] | None:
    """A generation's values of a key, whether its own run made them, or removed it; None where it has none of it."""
    path = generations.own_values(number, made, stream)
    if path is None:
        return None
    names = made.attributes[stream]
    chosen = ", ".join(("own", "gone", *columns(names)))
    query = f"SELECT {chosen} FROM ({all_columns(path, names, 'own', 'gone')}) WHERE kh = ? AND kl = ?"
    rows = database.execute(query, list(key)).fetchall()
    if not rows:
        return None
    own, gone, *texts = rows[0]
    return dict(zip(names, texts, strict=True)), bool(own), bool(gone)


def _shown(text: str | None) -> str | None:
    return None if text == UNKNOWN else text
