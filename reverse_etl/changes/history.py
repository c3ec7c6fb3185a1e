"""What was acknowledged of one row, run by run, as far as the values of earlier generations are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reverse_etl.changes.values import UNKNOWN, all_columns, columns
from reverse_etl.config.streams import ROWS

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from reverse_etl.changes.generation import Generations, Made
    from reverse_etl.destinations.powers import KeysLike


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What one run changed of a row.

    Attributes:
        run_id: The run that sent it.
        at: When its answers were entered, Unix seconds.
        attributes: The old and the new text of each attribute; an old one is None where nothing of ours was there or it
            is not known, a new one where no answer says whether it arrived.
        removed: Whether it removed the row, because it was gone.
        stream: The stream that the row is of.
        of: What names the row beside its identifier: the object, of a relationship; empty for nothing.
        added: Whether nothing of ours was there before.
    """

    run_id: str
    at: int
    attributes: dict[str, tuple[str | None, str | None]]
    removed: bool = False
    stream: str = ROWS
    of: str = ""
    added: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a generation's file has of a key."""

    key: str
    own: bool
    gone: bool
    texts: dict[str, str | None]


def history_of(
    generations: Generations,
    chain: list[tuple[int, Made]],
    stream: str,
    keys: KeysLike,
    database: duckdb.DuckDBPyConnection,
) -> list[Acknowledged]:
    """What was acknowledged of the rows with an identifier, the newest run first.

    Args:
        generations: The files.
        chain: The generations that there still are, the newest first: ``Generations.chain``.
        stream: The stream.
        keys: The rows' keys.
        database: For a while.
    """
    found: list[Acknowledged] = []
    before: dict[str, dict[str, str | None]] = {}
    for number, made in reversed(chain):
        path = generations.own_values(number, made, stream)
        for entry in [] if path is None else _entries(path, made.attributes[stream], keys, database):
            run_id, at = made.sent_by or made.run_id, made.made_at or made.read_at
            of = entry.key[len(keys.start) : len(entry.key) - len(keys.end)] if keys.exact is None else ""
            was = before.get(entry.key)
            if entry.gone and not entry.own:
                continue
            if entry.gone:
                found.append(Acknowledged(run_id, at, {}, removed=True, stream=stream, of=of))
                before.pop(entry.key, None)
                continue
            differs = {
                name: (_shown((was or {}).get(name)), _shown(text))
                for name, text in entry.texts.items()
                if (was or {}).get(name) != text
            }
            if entry.own and (differs or was is None):
                found.append(Acknowledged(run_id, at, differs, stream=stream, of=of, added=was is None))
            before[entry.key] = entry.texts
    return found[::-1]


def _entries(path: Path, names: list[str], keys: KeysLike, database: duckdb.DuckDBPyConnection) -> list[_Entry]:
    chosen = ", ".join(("own", "gone", *columns(names)))
    which = "starts_with(key, $start) AND ends_with(key, $end)"
    given: dict[str, str | list[str]] = {"start": keys.start, "end": keys.end}
    if keys.exact is not None:
        which, given = "list_contains($exact, key)", {"exact": list(keys.exact)}
    query = f"SELECT key, {chosen} FROM ({all_columns(path, names, 'own', 'gone')}) WHERE {which} ORDER BY key"
    rows = database.execute(query, given).fetchall()
    return [_Entry(key, bool(own), bool(gone), dict(zip(names, texts, strict=True))) for key, own, gone, *texts in rows]


def _shown(text: str | None) -> str | None:
    return None if text == UNKNOWN else text
