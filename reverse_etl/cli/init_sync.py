"""What a first sync's rows are, from where and when, as ``init`` asks for it: each answer is tried at its question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.cli.asking import Terminal, write
from reverse_etl.cli.init_query import bound_of, first_query, refusal
from reverse_etl.cli.init_tables import Tables, bare_name, chosen, holds_bytes, is_address

if TYPE_CHECKING:
    from reverse_etl.config.connections import DatabaseConfig, DestinationConfig
    from reverse_etl.config.connections_file import Connections
    from reverse_etl.destinations.first_sync import NeededColumn

_EVERY: Final = "*"
_NONE: Final = "-"
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

    named: dict[str, str] = {}
    for needed in rows.columns:
        if answer := _needed(asks, needed, tables, table, named, column_problem):
            named[needed.name] = answer
    others = _others(asks, tables, table, named, column_problem)
    address = _address(others, rows.address, named)
    for column in others:
        named.setdefault(rows.address if column == address else bare_name(column), column)
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


def _needed(
    asks: Terminal, needed: NeededColumn, tables: Tables, table: str, named: Mapping[str, str], problem: _Problem
) -> str:
    """A column that the query must return, as the table spells it; the default is one that is there, or none."""
    columns = tables.columns.get(table, [])
    alike = [each for each in columns if bare_name(each).lower() == needed.name.lower()]
    alike += [each for each in columns if needed.name == "email" and is_address(each)]
    alike += [tables.keys[table]] if needed.key and table in tables.keys else []
    alike += [needed.name] if not columns and not needed.optional else []
    free = [each for each in alike if each not in named.values()] if needed.named_alike else []
    default = free[0] if free else None
    if needed.optional:
        none = f"{_NONE} for none" if default else "none: Enter"
        answer = asks.one_of(
            f"{needed.question}, {none}",
            columns,
            "column",
            default=default or "",
            problem=lambda answer: "" if answer == _NONE else problem(answer),
        )
        answer = "" if answer == _NONE else answer
    else:
        answer = asks.one_of(needed.question, columns, "column", default=default, problem=problem)
    # A result's column may be called as the table spells it, whatever the case in which it is asked for.
    meant = [each for each in columns if bare_name(each).lower() == answer.lower()]
    return meant[0] if len(meant) == 1 else answer


def _address(others: Sequence[str], name: str, named: Mapping[str, str]) -> str:
    """Which of the other columns is evidently the e-mail address and has to be called so, and says it; maybe none."""
    found = [each for each in others if is_address(each)]
    if not name or name in named or not found or name in map(bare_name, found):
        return ""
    if len(set(found)) > 1:
        write(f"{', '.join(found)}: rows have an e-mail address only if the query calls one of them {name}.")
        return ""
    write(f"{found[0]} is called {name} in the query, so that it is taken for the e-mail address.")
    return found[0]


def _others(asks: Terminal, tables: Tables, table: str, named: Mapping[str, str], problem: _Problem) -> list[str]:
    """The other columns; for ``*`` every one of the table that does not hold bytes."""
    columns, types = tables.columns.get(table, []), tables.types.get(table, {})
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
            binary = [each for each in every if holds_bytes(types.get(each, ""))]
            if binary:
                write(f"Left out, as bytes cannot be sent: {', '.join(binary)}.")
            return [*(each for each in every if each not in binary), *(each for each in found if each)]


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
