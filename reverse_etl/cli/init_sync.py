"""What a first sync's rows are, from where and when, as ``init`` asks for it: each answer is tried at its question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.cli.asking import Terminal, write
from reverse_etl.cli.init_query import bound_of, first_query, refusal
from reverse_etl.cli.init_tables import Tables, bare_name, chosen

if TYPE_CHECKING:
    from reverse_etl.config.connections import DatabaseConfig, DestinationConfig
    from reverse_etl.config.connections_file import Connections

_EVERY: Final = "*"
_Problem = Callable[[str], str]
"""What is wrong with an answer, a sentence; empty where nothing is."""


def ask_sync(
    asks: Terminal, database: DatabaseConfig, destination: DestinationConfig, tables: Tables
) -> dict[str, Any]:
    """The values of the sync's file but for the names of its connections."""
    from reverse_etl.destinations import kind

    rows = kind(destination.type).first_rows(asks, _tables_there(asks, destination))

    def table_problem(answer: str) -> str:
        return "" if tables.problem or answer in tables.columns else refusal(database, f"SELECT 1 AS v FROM {answer}")

    table = asks.one_of("Table that holds the rows", tables.columns, "table", problem=table_problem)
    columns = tables.columns.get(table, [])
    if columns:
        write(f"Columns: {', '.join(columns)}")

    def column_problem(answer: str) -> str:
        if not answer or tables.problem or answer in columns:
            return ""
        if answer == _EVERY:
            return "That is every column: type one."
        return refusal(database, f"SELECT {answer} AS v FROM {table}")

    named = {}
    for needed in rows.columns:
        default = needed.name if needed.named_alike else None
        named[needed.name] = asks.one_of(needed.question, columns, "column", default=default, problem=column_problem)
    for column in _others(asks, columns, named, column_problem):
        named.setdefault(bare_name(column), column)
    changed, bound = _time_column(asks, database, tables, table, column_problem)
    return {
        "schedule": _schedule(asks),
        rows.section: rows.settings,
        "query": first_query(database.type, table, named, changed, bound),
    }


def sync_problems(path: Path, content: str, connections: Connections) -> None:
    """Makes sure that the file is valid before it is written.

    Raises:
        ConfigProblemsError: It is not.
    """
    from reverse_etl.config.document import read_document
    from reverse_etl.config.problems import Problem, lines
    from reverse_etl.config.sync_file import SyncFile, read_sync
    from reverse_etl.errors import ConfigProblemsError

    problems: list[Problem] = []
    document = read_document(content.encode(), str(path))
    sync = SyncFile(path.stem, str(path), content.encode(), document, folder=path.parent.absolute())
    read_sync(sync, connections, problems=problems, warnings=[])
    if problems:
        raise ConfigProblemsError(lines(problems))


def _others(asks: Terminal, columns: Sequence[str], named: Mapping[str, str], problem: _Problem) -> list[str]:
    """The other columns; every one of the table for ``*``."""
    question, asked_before = f"Other columns to send, with commas between them ({_EVERY}: every one)", False
    while True:
        answers = asks.texts(question, "")
        found = [chosen(each, columns) for each in answers if each != _EVERY]
        wrong = [problem(each) for each in found if each]
        if None in found:
            write(f"The columns are: {', '.join(columns)}")
        elif any(wrong):
            write(next(filter(None, wrong)))
        elif _EVERY in answers and not columns:
            write("The columns are not known here: type their names.")
        elif not answers and not asked_before:
            asked_before = True
            write(f"Then a row is sent with {', '.join(named)} and nothing else. Type columns, or Enter once more.")
        else:
            every = [each for each in columns if each not in named.values()] if _EVERY in answers else []
            return [*every, *(each for each in found if each)]


def _time_column(
    asks: Terminal, database: DatabaseConfig, tables: Tables, table: str, problem: _Problem
) -> tuple[str, str]:
    """The column with the time of the last change and what it is compared with; nothing where every run reads all."""
    from reverse_etl import sources

    columns = tables.columns.get(table, [])
    question = "Column with the time of a row's last change (none: every run reads all)"
    while changed := asks.one_of(question, columns, "column", default="", problem=problem).strip():
        if tables.problem:
            return changed, sources.engine(database.type).LAST_SYNC_TIME
        with sources.connect(database) as session:
            types = {bare_name(name).lower(): kind for name, kind in tables.types.get(table, {}).items()}
            declared = types.get(bare_name(changed).lower(), "")
            bound, told = bound_of(database, session, table, changed, declared)
        if told:
            write(told)
        if bound:
            return changed, bound
    return "", ""


def _schedule(asks: Terminal) -> str | dict[str, str]:
    """When the sync runs."""
    from pydantic import ValidationError

    from reverse_etl.config.schedule import ScheduleConfig

    while (every := asks.text("How often (15m, 1h, 1d ...; manual)", "1h")) != "manual":
        try:
            ScheduleConfig.model_validate({"every": every})
        except ValidationError as error:
            write(f"{error.errors()[0]['msg'].removeprefix('Value error, ')}.")
        else:
            return {"every": every}
    return every


def _tables_there(asks: Terminal, destination: DestinationConfig) -> Mapping[str, Sequence[str]]:
    """The tables of a destination with their columns; none where it has none, or cannot be asked."""
    from reverse_etl.destinations import kind
    from reverse_etl.destinations.table_powers import ListsTables
    from reverse_etl.errors import ReverseEtlError

    of = kind(destination.type)
    if not isinstance(of, ListsTables):
        return {}
    asks.unset_secrets(destination)
    try:
        return of.tables(destination)
    except ReverseEtlError as error:
        write(f"The tables of {destination.name} cannot be listed: {error} Type the table's name.")
        return {}
