"""SOQL as look-ups need it: ``SELECT f, Rel.f FROM o [WHERE f = x AND f IN (…)] [LIMIT n]``, a page at a time.

Documented: 2,000 records a page and ``nextRecordsUrl``; statements of 100,000 characters, literals of 4,000; texts are
compared without regard to case. Nothing else of the language is here; what is not is told as malformed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reverse_etl.sandbox.salesforce.org import Org
from reverse_etl.sandbox.salesforce.problems import RequestError
from reverse_etl.sandbox.salesforce.schema import NUMBERS, TEXTS, Field, SObject
from reverse_etl.sandbox.salesforce.table import Table

_LONGEST_STATEMENT = 100_000
_LONGEST_LITERAL = 4000
_TOKEN = re.compile(r"\s*(?:('(?:[^'\\]|\\.)*')|([A-Za-z_][\w.]*)|(-?\d[\w.:+-]*)|(!=|<>|[=(),]))")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class Quoted(str):
    """A literal in quotes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """``field IN values``; or not in."""

    field: str
    values: tuple[Any, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One statement."""

    fields: tuple[str, ...]
    object: str
    conditions: tuple[Condition, ...]
    limit: int | None


def parsed(statement: str) -> Query:
    """A statement's parts.

    Raises:
        RequestError: It is malformed, or uses what the sandbox does not know.
    """
    if len(statement) > _LONGEST_STATEMENT:
        raise _malformed(f"the statement has more than {_LONGEST_STATEMENT} characters")
    return _Parser(statement).query()


def run(org: Org, query: Query) -> tuple[Table, list[int], Callable[[int], dict[str, Any]]]:
    """The table, the places of the records found, and how each is shown.

    Raises:
        RequestError: There is no such object or field.
    """
    table = org.tables.get(query.object.lower())
    if table is None:
        raise RequestError(400, "INVALID_TYPE", f"sObject type '{query.object}' is not supported.")
    found: list[int] | None = None
    for condition in query.conditions:
        found = _matching(table, found, condition)
    places = (list(table.places()) if found is None else found)[: query.limit]
    columns = [_column(org, table, name) for name in query.fields]
    return table, places, lambda place: _shown(columns, place)


def _matching(table: Table, places: list[int] | None, condition: Condition) -> list[int]:
    """Those of the records, null for all, that a condition holds for; by an index where there is one."""
    field = _field(table.sobject, condition.field)
    _refuse_other_types(field, condition)
    if not condition.negated and None not in condition.values:
        wanted = _by_index(table, field, condition.values)
        if wanted is not None:
            return sorted(wanted if places is None else wanted & set(places))
    folded = {_folded(value) for value in condition.values}
    among = table.places() if places is None else places
    return [place for place in among if (_folded(table.value(field.name, place)) in folded) != condition.negated]


def _refuse_other_types(field: Field, condition: Condition) -> None:
    """Texts are in quotes, everything else is not."""
    kinds: dict[str, type] = {"boolean": bool, "date": str, "datetime": str}
    wanted = Quoted if field.type in TEXTS else float if field.type in NUMBERS else kinds[field.type]
    for value in condition.values:
        if value is not None and type(value) is not wanted:
            quotes = "be" if wanted is Quoted else "not be"
            message = (
                f"value of filter criterion for field '{field.name}' must be of type {field.type} and should {quotes}"
            )
            raise RequestError(400, "INVALID_FIELD", f"{message} enclosed in quotes")


def _by_index(table: Table, field: Field, values: tuple[Any, ...]) -> set[int] | None:
    if field.is_indexed:
        return {place for value in values for place in table.find(field, value)}
    if field.name != "Id":
        return None
    try:
        found = [table.find_id(str(value)) for value in values]
    except ValueError as error:
        raise RequestError(400, "INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {error}") from None
    return {place for place in found if place is not None}


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _column(org: Org, table: Table, name: str) -> tuple[list[str], Callable[[int], Any]]:
    """How a name is shown, and its value of a record."""
    relation, dot, rest = name.partition(".")
    if not dot:
        field = _field(table.sobject, name)
        return [field.name], lambda place: table.value(field.name, place)
    reference = next(
        (each for each in table.sobject.fields if (each.relationship or "").lower() == relation.lower()), None
    )
    if reference is None or reference.relationship is None:
        raise _malformed(f"Didn't understand relationship '{relation}' in field path")
    parents = org.table(reference.reference_to or "")
    own = _field(parents.sobject, rest)

    def value(place: int) -> Any:
        parent = table.value(reference.name, place)
        found = None if parent is None else parents.find_id(parent)
        return None if found is None else parents.value(own.name, found)

    return [reference.relationship, own.name], value


def _shown(columns: list[tuple[list[str], Callable[[int], Any]]], place: int) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for path, value in columns:
        if len(path) == 1:
            shown[path[0]] = value(place)
        else:
            shown.setdefault(path[0], {})[path[1]] = value(place)
    return shown


def _field(sobject: SObject, name: str) -> Field:
    found = sobject.field(name)
    if found is None:
        raise RequestError(400, "INVALID_FIELD", f"No such column '{name}' on entity '{sobject.name}'.")
    return found


def _malformed(message: str) -> RequestError:
    return RequestError(400, "MALFORMED_QUERY", message)


class _Parser:
    def __init__(self, statement: str) -> None:
        self._tokens: list[str] = []
        position = 0
        while statement[position:].strip():
            match = _TOKEN.match(statement, position)
            if match is None:
                raise _malformed(f"unexpected token at character {position}")
            self._tokens.append(next(filter(None, match.groups())))
            position = match.end()
        self._at = 0

    def query(self) -> Query:
        self._word("SELECT")
        fields = [self._name()]
        while self._taken(","):
            fields.append(self._name())
        self._word("FROM")
        name = self._name()
        conditions = []
        if self._taken("WHERE"):
            conditions.append(self._condition())
            while self._taken("AND"):
                conditions.append(self._condition())
        limit = int(self._next()) if self._taken("LIMIT") else None
        if self._at < len(self._tokens):
            raise _malformed(f"unexpected token: '{self._tokens[self._at]}'")
        return Query(tuple(fields), name, tuple(conditions), limit)

    def _condition(self) -> Condition:
        field = self._name()
        if self._taken("="):
            return Condition(field, (self._literal(),))
        if self._taken("!=") or self._taken("<>"):
            return Condition(field, (self._literal(),), negated=True)
        negated = self._taken("NOT")
        self._word("IN")
        self._word("(")
        values = [self._literal()]
        while self._taken(","):
            values.append(self._literal())
        self._word(")")
        return Condition(field, tuple(values), negated)

    def _literal(self) -> Any:
        token = self._next()
        if token.startswith("'"):
            text = re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), token[1:-1])
            if len(text) > _LONGEST_LITERAL:
                raise _malformed(f"a literal has more than {_LONGEST_LITERAL} characters")
            return Quoted(text)
        known = {"null": None, "true": True, "false": False}
        if token.lower() in known:
            return known[token.lower()]
        try:
            return float(token)
        except ValueError:
            if not token[0].isdigit():
                raise _malformed(f"unexpected token: '{token}'") from None
            return token

    def _name(self) -> str:
        token = self._next()
        if not re.fullmatch(r"[A-Za-z_][\w.]*", token):
            raise _malformed(f"unexpected token: '{token}'")
        return token

    def _word(self, word: str) -> None:
        if not self._taken(word):
            found = self._tokens[self._at] if self._at < len(self._tokens) else "<EOF>"
            raise _malformed(f"expecting '{word}', found '{found}'")

    def _taken(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at].upper() == word:
            self._at += 1
            return True
        return False

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise _malformed("unexpected end of the statement")
        self._at += 1
        return self._tokens[self._at - 1]
