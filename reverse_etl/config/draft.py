"""A sync's file while it is read: its values as they were written, and the problems and warnings that grow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reverse_etl.config.dialect import UNKNOWN, Dialect
from reverse_etl.config.document import Document
from reverse_etl.config.problems import Path, Problem, did_you_mean, key_text, problem_at, problem_in_text
from reverse_etl.config.sql_text import swallowed_from
from reverse_etl.config.statement import Column, Statement, read_statement


@dataclass(slots=True)
class Draft:
    """A sync's file, not validated: what is no query or no known word is passed over.

    Attributes:
        file: As people are shown it.
        document: What is in it.
        dialect: Its database's; None where that is not known, then columns are not looked at.
        entry: Its destination's keys in ``connections.yaml`` as they were written; None where there is none.
        problems: Grows by what is wrong; ``warnings`` by what is worth a look.
        columns: Of the queries that were read, by their place; None where only the database knows them.
    """

    file: str
    document: Document
    dialect: Dialect | None
    entry: Mapping[str, Any] | None
    problems: list[Problem]
    warnings: list[Problem]
    columns: dict[Path, tuple[Column, ...] | None] = field(default_factory=dict)

    def at(self, path: Path) -> Any:
        """What was written at a place; None where nothing was."""
        values: Any = self.document.values
        for part in path:
            values = values.get(part) if isinstance(values, dict) else None
        return values

    def problem(self, path: Path, text: str) -> None:
        """Adds a problem of a key."""
        self.problems.append(problem_at(self.file, self.document, path, text))

    def problem_in(self, path: Path, line: int, text: str) -> None:
        """Adds a problem of a line of a key's text, from 1."""
        self.problems.append(problem_in_text(self.file, self.document, path, line, text))

    def warn(self, path: Path, text: str) -> None:
        """Adds a warning about a key."""
        self.warnings.append(problem_at(self.file, self.document, path, text))

    def warn_in(self, path: Path, line: int, text: str) -> None:
        """Adds a warning about a line of a key's text, from 1."""
        self.warnings.append(problem_in_text(self.file, self.document, path, line, text))

    def statement(self, path: Path) -> Statement | None:
        """The query at a place as far as its text shows, its problems added; None where there is none to read."""
        sql = self.at(path)
        if not isinstance(sql, str) or not sql.strip() or self._is_swallowed(path, sql):
            return None
        statement = read_statement(sql, self.dialect or UNKNOWN)
        for line, text in statement.problems:
            self.problem_in(path, line, text)
        return statement

    def statement_read(self, path: Path) -> Statement | None:
        """The same without its problems, where there are none."""
        sql = self.at(path)
        statement = read_statement(sql, self.dialect or UNKNOWN) if isinstance(sql, str) and sql.strip() else None
        return None if statement is None or statement.problems else statement

    def _is_swallowed(self, path: Path, sql: str) -> bool:
        """Whether a comment runs on over the rest of the query, because YAML joined its lines."""
        place = self.document.place.at(*path)
        if place is None or place.joined is None:
            return False
        line = swallowed_from(sql, place.joined, self.dialect or UNKNOWN)
        if line is None:
            return False
        joined = {">": "after `>`", "": "of plain text"}.get(place.style, "between quotes")
        text = f"a comment hides the rest of the query: YAML joins lines {joined} into one; write `{path[-1]}: |`"
        self.problems.append(Problem(self.file, place.text_line + line - 1, key_text(path), text))
        return True


def is_named(column: Column, name: str) -> bool:
    """Whether a column has a name, or may have it where its case is not known."""
    return column.name == name or (not column.exact and column.name.lower() == name.lower())


def has(columns: tuple[Column, ...], name: str) -> bool:
    """Whether one of the columns is called so."""
    return any(is_named(column, name) for column in columns)


def near(name: str, columns: tuple[Column, ...]) -> str:
    """The end of a sentence about a column that is not there."""
    return did_you_mean(name, [column.name for column in columns], otherwise="it returns")
