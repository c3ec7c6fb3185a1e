"""What a sync needs of its queries, checked as far as their text shows, before a database is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reverse_etl.config.checks import CheckConfig
from reverse_etl.config.dialect import Dialect
from reverse_etl.config.draft import Draft, has, near
from reverse_etl.config.log_changes import log_problems
from reverse_etl.config.pieces import pieces_problems
from reverse_etl.config.problems import Path, did_you_mean
from reverse_etl.config.row_choice import advice
from reverse_etl.config.shape_problems import shape_problems, shaped_columns
from reverse_etl.config.sql_text import reads_changes
from reverse_etl.config.statement import Column, spelled
from reverse_etl.config.streams import Stream


def query_problems(draft: Draft, streams: Sequence[Stream], checks: Mapping[Path, CheckConfig], *, title: str) -> None:
    """Reads the sync's queries and adds what is wrong with them.

    Args:
        draft: The sync's file.
        streams: What it sends, the rows first, as far as values show that were not validated.
        checks: Whose columns must be there.
        title: What people call its kind of destination.
    """
    for stream in streams:
        _look_at(draft, stream, title)
    log_problems(draft, streams)
    pieces_problems(draft, streams)
    by_changes = draft.at(("changes", "by")) == "log" or any(reads_changes(stream.query) for stream in streams)
    if draft.at(("failed_rows",)) == "carry" and not by_changes:
        draft.warn(
            ("failed_rows",), "carry changes nothing here: no query has a placeholder, so each run reads all rows"
        )
    known = draft.columns.get(streams[0].at)
    for path, check in checks.items() if known else ():
        for name in _columns_of(check):
            if known and not has(known, name):
                draft.problem(path, f"the query has no column `{name}`{near(name, known)}")


def _look_at(draft: Draft, stream: Stream, title: str) -> None:
    statement = draft.statement(stream.at)
    if statement is None:
        return
    for line, text in statement.unnamed:
        draft.problem_in(stream.at, line, text)
    if draft.dialect is None:
        return
    if statement.warning:
        draft.warn_in(stream.at, 1, statement.warning)
    shape_problems(draft, stream.at, statement.columns, stream.required)
    columns = draft.columns[stream.at] = shaped_columns(draft, stream.at, statement.columns)
    if statement.problems:
        return
    for line, text in advice(stream.query, draft.dialect):
        draft.warn_in(stream.at, line, text)
    made = (*stream.at[:-1], "columns")
    if columns and isinstance(draft.at(made), Mapping):
        for needed in stream.required:
            if not has(columns, needed):
                hint = f", or {stream.hints[needed]}" if needed in stream.hints else ""
                draft.problem(made, f"makes no column `{needed}`, without which no row can be sent: add it{hint}")
        return
    for needed in stream.required if columns is not None else ():
        if text := _missing(needed, columns or (), draft.dialect, stream.hints.get(needed, "")):
            draft.problem_in(stream.at, 1, text)
    for word, way_out in stream.reserved.items():
        if any(column.name == word for column in columns or ()):
            draft.problem_in(stream.at, 1, f"column `{word}` is a word of {title}'s API: {way_out}")


def _missing(needed: str, columns: tuple[Column, ...], dialect: Dialect, hint: str) -> str:
    """A sentence when the column is certainly not there."""
    if has(columns, needed):
        return ""
    wanted = _quoted(needed, dialect)
    for column in columns:
        if column.name.lower() == needed:
            return f"returns `{column.name}`, but names are case-sensitive: name it with `AS {wanted}`"
    meant = did_you_mean(needed, [column.name for column in columns if len(column.name) > 3])
    if meant:
        found = meant.split("`")[1]
        return f"returns no column `{needed}`; did you mean `{_quoted(found, dialect)} AS {wanted}`?"
    also = f"; or {hint}" if hint else ""
    return f"returns no column `{needed}`: select it, or rename one with `AS {wanted}`{also}"


def _quoted(name: str, dialect: Dialect) -> str:
    from sqlglot import exp

    plain = exp.to_identifier(name, quoted=False)
    changed = spelled(plain, dialect) != name or not name.isidentifier()
    return exp.to_identifier(name, quoted=changed).sql(dialect=dialect.name)


def _columns_of(check: CheckConfig) -> list[str]:
    one, several = getattr(check, "column", None), getattr(check, "columns", None)
    return [name for name in [one, *(several or ())] if isinstance(name, str)]
