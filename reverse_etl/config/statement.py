"""What the text of a query shows without a database: is it one read-only statement, which columns does it return.

sqlglot reads the text in the engine's dialect. What it cannot read is judged by its words alone, so that a
feature it does not know yet stops no sync; the database has the last word. Sessions are read-only besides.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from reverse_etl.config.changed import changed_problems
from reverse_etl.config.reaching_functions import function_problems
from reverse_etl.config.sql_text import blank_placeholders, placeholder_problems, tokens_of
from reverse_etl.config.unnamed_columns import unnamed_columns
from reverse_etl.config.written_texts import written_texts

if TYPE_CHECKING:
    from sqlglot import Token, exp

    from reverse_etl.config.dialect import Dialect

_FIRST_WORDS: Final = frozenset({"SELECT", "WITH", "VALUES", "FROM"})
_WRITING_WORDS: Final = frozenset(
    {"INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "CREATE", "DROP", "ALTER", "TRUNCATE"}
    | {"GRANT", "REVOKE", "CALL", "EXEC", "EXECUTE", "COPY"}
)
_ALSO_FUNCTIONS: Final = frozenset({"INSERT", "TRUNCATE"})
_LOCKING: Final = "SHARE"
_SUSPECT: Final = re.compile(rf"\b(?:{'|'.join(sorted(_WRITING_WORDS | {_LOCKING}))})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result.

    Attributes:
        name: As the database will spell it, as far as the text shows.
        exact: Whether upper and lower case are certain; a plain column may be spelled as its table does.
    """

    name: str
    exact: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """What is known about one query.

    Attributes:
        problems: Pairs of a line of the query (from 1) and a sentence; empty when the query may run.
        warning: Set when the query was judged by its words alone; otherwise empty.
        columns: In order; None where the text does not show them, as with ``*``.
        unnamed: Columns without a name, as ``problems``; wrong only where each column becomes an attribute.
        names: Texts that the query writes out for a column ``name``, each after its line.
    """

    problems: tuple[tuple[int, str], ...]
    warning: str
    columns: tuple[Column, ...] | None
    unnamed: tuple[tuple[int, str], ...] = ()
    names: tuple[tuple[int, str], ...] = ()


@lru_cache(maxsize=4096)
def read_statement(sql: str, dialect: Dialect) -> Statement:
    """Reads one query as written, placeholder included.

    Args:
        sql: The query.
        dialect: The engine's; ``UNKNOWN`` when it is not known.
    """
    problems = list(placeholder_problems(sql, dialect))
    tree, warning = None, ""
    if not problems:
        tree, warning, found = _parse(blank_placeholders(sql), dialect)
        problems.extend(found)
        problems.extend(changed_problems(sql, tree, dialect))
    columns = _columns(tree, dialect) if tree is not None and not problems else None
    if columns is not None:
        problems.extend(_shared_names(columns))
    if tree is None or problems:
        return Statement(tuple(problems), warning, columns)

    def is_name(projection: exp.Expr) -> bool:
        return _column(projection, dialect) == Column("name", exact=True)

    unnamed, names = tuple(unnamed_columns(tree, dialect)), tuple(written_texts(tree, is_name))
    return Statement((), warning, columns, unnamed, names)


@contextmanager
def quiet_sqlglot() -> Iterator[None]:
    """Keeps sqlglot from printing what it does not support: that becomes a problem or a warning."""
    log = logging.getLogger("sqlglot")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _parse(sql: str, dialect: Dialect) -> tuple[exp.Expr | None, str, list[tuple[int, str]]]:
    from sqlglot.dialects.dialect import Dialect as Spoken
    from sqlglot.errors import ParseError, TokenError

    try:
        tokens = tokens_of(sql, dialect)
    except TokenError:
        return None, "", [] if not dialect.name else [(1, "cannot be read as SQL: a quote or a comment is not closed")]
    problem = _executed_comment(tokens) if dialect.runs_comments else None
    tokens = _without_semicolons(tokens)
    problem = problem or _shape_problem(tokens, dialect)
    if problem:
        return None, "", [problem]
    reaching = list(function_problems(tokens, dialect))
    if reaching:
        return None, "", reaching
    suspects = list(_suspects(tokens, sql)) if _SUSPECT.search(sql) else []
    try:
        with quiet_sqlglot():
            tree = Spoken.get_or_raise(dialect.name).parser().parse(tokens, sql)[0]
    except (ParseError, RecursionError) as error:
        found = _word_problems(tokens, suspects)
        return None, "" if found else _warning(error), found
    found = _tree_problems(tree, suspects) if suspects and tree is not None else []
    if not dialect.needs_semicolons and not found:
        found = _word_problems(tokens, suspects)
    return tree, "", found


def _executed_comment(tokens: list[Token]) -> tuple[int, str] | None:
    for token in tokens:
        if any(comment.lstrip("M").startswith("!") for comment in token.comments):
            return token.line, "must not contain /*! … */: the database would execute such a comment"
    return None


def _without_semicolons(tokens: list[Token]) -> list[Token]:
    """The tokens without the semicolons before and after them all."""
    from sqlglot import TokenType

    words = [at for at, token in enumerate(tokens) if token.token_type != TokenType.SEMICOLON]
    return tokens[words[0] : words[-1] + 1] if words else []


def _shape_problem(tokens: list[Token], dialect: Dialect) -> tuple[int, str] | None:
    from sqlglot import TokenType

    if not tokens:
        return 1, "is empty"
    kinds = [token.token_type for token in tokens]
    if TokenType.SEMICOLON in kinds:
        after = (token for token in tokens[kinds.index(TokenType.SEMICOLON) :] if token.text != ";")
        return next(after).line, "must be one statement: nothing may follow the semicolon"
    first = next((token for token in tokens if token.token_type != TokenType.L_PAREN), tokens[0])
    word = first.text.split()[0].upper() if first.text.strip() else ""
    if word not in _FIRST_WORDS or (word == "FROM" and not dialect.from_first):
        known = f", not with {word}" if word.isalpha() and len(word) < 20 else ""
        return first.line, f"must only read: one query that starts with SELECT or WITH{known}"
    opening, closing = kinds.count(TokenType.L_PAREN), kinds.count(TokenType.R_PAREN)
    if opening != closing and dialect.name:
        return tokens[-1].line, f"parentheses do not match: {opening} opened, {closing} closed"
    return None


def _suspects(tokens: list[Token], sql: str) -> Iterator[tuple[Token, str]]:
    """Writing words that are neither quoted, nor part of a dotted name, nor a name after AS."""
    from sqlglot import TokenType

    before = None
    for token in tokens:
        quoted = sql[token.start : token.end + 1] != token.text
        if not quoted and before not in (TokenType.DOT, TokenType.ALIAS):
            word = token.text.split(maxsplit=1)[0].upper() if token.text.strip() else ""
            if word in _WRITING_WORDS or word == _LOCKING:
                yield token, word
        before = token.token_type


def _word_problems(tokens: list[Token], suspects: list[tuple[Token, str]]) -> list[tuple[int, str]]:
    followers = {id(token): after.text.upper() for token, after in pairwise(tokens)}
    for token, word in suspects:
        follower = followers.get(id(token), "")
        called = follower == "(" and word in _ALSO_FUNCTIONS
        joined = word == "MERGE" and follower in {"JOIN", "UNION"}
        if not (called or joined or word == _LOCKING):
            return [(token.line, f"must only read, but contains {word}; put it in quotes if it is a name")]
    return []


def _tree_problems(tree: exp.Expr, suspects: list[tuple[Token, str]]) -> list[tuple[int, str]]:
    from sqlglot import exp

    changes = (exp.DML, exp.Create, exp.Drop, exp.Alter, exp.Command, exp.Copy, exp.Set, exp.TruncateTable)
    line = suspects[0][0].line
    for node in tree.walk():
        if isinstance(node, exp.Into):
            return [(line, "must only read, but writes a table or file with INTO")]
        if isinstance(node, exp.Lock):
            return [(line, "must only read, but locks rows: leave out FOR UPDATE and FOR SHARE")]
        if isinstance(node, changes):
            return [(line, f"must only read, but contains {node.key.upper()}")]
    return []


def _warning(error: Exception) -> str:
    details = getattr(error, "errors", None) or [{}]
    place = f" (line {details[0]['line']}, column {details[0]['col']})" if details[0].get("line") else ""
    return f"could not be checked beyond its first words{place}: it may be wrong, or use a feature not known here"


def _columns(tree: exp.Expr, dialect: Dialect) -> tuple[Column, ...] | None:
    from sqlglot import exp

    while isinstance(tree, (exp.Subquery, exp.SetOperation)):
        if tree.args.get("by_name"):
            return None
        tree = tree.this
    if not isinstance(tree, exp.Select) or tree.args.get("kind"):
        return None
    columns = [_column(projection, dialect) for projection in tree.expressions]
    return None if None in columns else tuple(column for column in columns if column is not None)


def _column(projection: exp.Expr, dialect: Dialect) -> Column | None:
    from sqlglot import exp

    if isinstance(projection, exp.Alias) and isinstance(projection.args["alias"], exp.Identifier):
        return Column(spelled(projection.args["alias"], dialect), exact=True)
    if isinstance(projection, exp.Column) and isinstance(projection.this, exp.Identifier):
        return Column(spelled(projection.this, dialect), exact=dialect.unquoted_names != "kept")
    return None


def spelled(name: exp.Identifier, dialect: Dialect) -> str:
    """A name as the engine stores it."""
    text = str(name.this)
    if name.quoted or dialect.unquoted_names == "kept":
        return text
    return text.lower() if dialect.unquoted_names == "lower" else text.upper()


def _shared_names(columns: tuple[Column, ...]) -> Iterator[tuple[int, str]]:
    seen: set[str] = set()
    reported: set[str] = set()
    for column in columns:
        if column.name in seen and column.name not in reported:
            reported.add(column.name)
            yield 1, f"returns two columns named `{column.name}`: rename one with AS"
        seen.add(column.name)
