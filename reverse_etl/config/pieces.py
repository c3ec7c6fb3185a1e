"""``pieces:`` of a sync's file: a reading of everything as successive runs, each of a range of keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pydantic import Field

from reverse_etl.config.draft import Draft, has, near
from reverse_etl.config.model import YamlModel
from reverse_etl.config.sql_text import reads_changes

if TYPE_CHECKING:
    from reverse_etl.config.streams import Stream

DEFAULT_ROWS: Final = 5_000_000
"""Rows of one piece where a file has no number."""

_MAX_ROWS: Final = 10_000_000
"""``max_rows`` where a file has none."""


class PiecesConfig(YamlModel):
    """A reading of everything in pieces: the first sync, and `run --full`.

    Attributes:
        by: The column of the query by whose values the rows are cut into pieces.
        rows: About how many rows one piece has.
    """

    by: str = Field(min_length=1, description="The query's column by whose values the rows are cut into pieces.")
    rows: int = Field(default=DEFAULT_ROWS, ge=1, description="About how many rows each piece has.")


def pieces_problems(draft: Draft, streams: Sequence[Stream]) -> None:
    """Adds what does not go with a reading in pieces; ``streams`` are what is sent."""
    pieces = draft.at(("pieces",))
    if not isinstance(pieces, dict):
        return
    rows = streams[0]
    by_log = draft.at(("changes", "by")) == "log"
    if rows.query and not reads_changes(rows.query) and not by_log:
        text = "needs a query with {{last_sync_time}}, which reads only what changed once all pieces are sent: without "
        draft.problem(("pieces",), text + "it every run reads all rows")
    if draft.at(("failed_rows",)) != "carry":
        text = "needs `failed_rows: carry` beside it: with hold, one row that fails would keep all later pieces from "
        draft.problem(("pieces",), text + "being read")
    if by_log:
        text = "goes with `changes: {by: compare}` or without: a database's log has changes, and no pieces of all rows"
        draft.problem(("pieces",), text)
    if len(streams) > 1:
        text = f"is for one query, and this sync has {streams[1].name}, too: leave them to a sync of their own"
        draft.problem(("pieces",), text)
    if draft.at(("events", "backfill")) is True:
        text = "does not go with `backfill: true`, which counts old events before they are sent: bound a backfill "
        draft.problem(("pieces",), text + "with --since and --until instead")
    _look_at_column(draft, pieces.get("by"), rows)
    most, given = _number(draft.at(("max_rows",)), _MAX_ROWS), _number(pieces.get("rows"), DEFAULT_ROWS)
    if given > most:
        draft.problem(("pieces", "rows"), f"is more than max_rows, {most:,}: a piece would fail before it is sent")


def _number(written: object, otherwise: int) -> int:
    """A whole number, which may be written as ``5_000_000``; another one where it is none."""
    try:
        return int(str(written))
    except ValueError:
        return otherwise


def _look_at_column(draft: Draft, by: object, rows: Stream) -> None:
    statement = draft.statement_read(rows.at)
    columns = statement.columns if statement is not None and draft.dialect is not None else None
    if isinstance(by, str) and by and columns and not has(columns, by):
        draft.problem(("pieces", "by"), f"the query has no column `{by}`{near(by, columns)}")
