"""The text of a query before it is understood: its placeholders, its comments, where its one statement ends.

sqlglot's tokens show what is quoted and what is a comment; what they mean is read in ``statement``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlglot import Token

    from reverse_etl.config.dialect import Dialect

PLACEHOLDER: Final = re.compile(r"\{\{\s*last_sync_time\s*\}\}")
"""Replaced wherever it stands, inside quotes and comments too."""

UNTIL: Final = re.compile(r"\{\{\s*until\s*\}\}")
"""The end of what is read, for ``run --until``; replaced likewise."""

CHANGED: Final = re.compile(r"""\{\{\s*changed\s*:\s*([^\W\d][\w$]*|"[^"{}\n]+")\s*\}\}""")
"""``{{changed: c}}``: the rows of ``c``, a table in the query, that changed since the last completed run."""

MARKER: Final = "changed__"
"""The column of ``c`` that stands for the placeholder while the query is read."""

_DOUBLE_BRACES: Final = re.compile(r"\{\{([^{}]*)\}\}|\{\{")
_NEAR_MISS: Final = re.compile(
    r"""[$#@]?\{\s*last_sync_time\s*\}        # of templates and shells; a struct has a colon
    | %\(\s*last_sync_time\s*\)               # of Python's drivers
    | <<?last_sync_time>>?
    | (?<!ARRAY)(?<!ARRAY\s)\[\[\s*last_sync_time\s*\]\]
    | (?<![\w:\])}"$]):last_sync_time\b       # of ORMs; no cast, no path, no slice, no value of a struct
    | (?<![\w$])\$last_sync_time\b(?!\$)""",
    re.IGNORECASE | re.VERBOSE,
)
_VARIABLE: Final = re.compile(r"(?<![\w@])@last_sync_time\b", re.IGNORECASE)
_LINE_COMMENT: Final = re.compile(r"/\*.*?\*/|(--|#|//)", re.DOTALL)


def tokens_of(sql: str, dialect: Dialect) -> list[Token]:
    """The words of a query in the engine's dialect.

    Raises:
        sqlglot.errors.TokenError: A quote or a comment is not closed.
    """
    from sqlglot.dialects.dialect import Dialect as Spoken

    return Spoken.get_or_raise(dialect.name).tokenize(sql)


def one_statement(sql: str, dialect: Dialect) -> str:
    """The query without the semicolons around it and what follows them, as an engine takes it inside another query.

    Left as it is where it cannot be read, or where another statement follows.
    """
    if ";" not in sql:
        return sql.strip()
    from sqlglot import TokenType
    from sqlglot.errors import TokenError

    try:
        tokens = tokens_of(sql, dialect)
    except TokenError:
        return sql.strip().rstrip(";")
    ends = [token for token in tokens if token.token_type == TokenType.SEMICOLON]
    words = [token for token in tokens if token.token_type != TokenType.SEMICOLON]
    if not words:
        return sql.strip()
    begin = max((token.end + 1 for token in ends if token.start < words[0].start), default=0)
    end = min((token.start for token in ends if token.start > words[0].start), default=len(sql))
    return sql[begin:end].strip() if end > words[-1].start else sql.strip()


def reads_changes(sql: str) -> bool:
    """Whether a query asks for only what changed."""
    return PLACEHOLDER.search(sql) is not None or CHANGED.search(sql) is not None


def blank_placeholders(sql: str, instead: str = "0") -> str:
    """The query with a number for each time and a column for each ``{{changed: c}}``.

    Every other character stays at its place.
    """
    numbered = UNTIL.sub(partial(_padded, "1"), PLACEHOLDER.sub(partial(_padded, instead), sql))
    return CHANGED.sub(lambda match: _padded(f"{match[1]}.{MARKER}", match), numbered)


def placeholder_problems(sql: str, dialect: Dialect) -> Iterator[tuple[int, str]]:
    """Placeholders that are none, each as a line of the query (from 1) and a sentence.

    Double braces are looked for everywhere, as they are replaced everywhere; what only resembles them, where it is
    neither text, nor a quoted name, nor a comment.
    """
    rest = UNTIL.sub(_blanked, PLACEHOLDER.sub(_blanked, sql))
    if dialect.marks_rows or not dialect.name:
        rest = CHANGED.sub(_blanked, rest)
    for match in _DOUBLE_BRACES.finditer(rest):
        line = rest.count("\n", 0, match.start()) + 1
        if match[1] is None:
            yield line, "`{{` without `}}`: write {{last_sync_time}}"
            continue
        yield line, _unknown(" ".join(match[1].split())[:40], dialect)
    plain = _plain(_DOUBLE_BRACES.sub(_blanked, rest), dialect)
    patterns = (_NEAR_MISS, _VARIABLE) if dialect.at_is_variable else (_NEAR_MISS,)
    for match in (found for pattern in patterns for found in pattern.finditer(plain)):
        yield plain.count("\n", 0, match.start()) + 1, "write the placeholder with double braces: {{last_sync_time}}"


def swallowed_from(folded: str, written: str, dialect: Dialect) -> int | None:
    """Where a comment runs on over lines that were written after it, because YAML joined them.

    Args:
        folded: The query as YAML reads it.
        written: The same text with its line breaks.
        dialect: The engine's.

    Returns:
        The comment's line in ``written``, from 1; None where nothing of the query is lost.
    """
    from sqlglot.errors import TokenError

    try:
        left, whole = tokens_of(folded, dialect), tokens_of(written, dialect)
    except TokenError:
        return None
    if len(left) >= len(whole):
        return None
    pairs = enumerate(zip(left, whole, strict=False))
    kept = next((at for at, (one, other) in pairs if one.text != other.text), len(left))
    begin = whole[kept - 1].end + 1 if kept else 0
    gap = written[begin : whole[kept].start]
    marks = (match for match in _LINE_COMMENT.finditer(gap) if match[1])
    return written.count("\n", 0, begin + next((match.start() for match in marks), 0)) + 1


def _unknown(name: str, dialect: Dialect) -> str:
    """What is wrong with a placeholder of this name."""
    word, _, table = name.partition(":")
    if difflib.get_close_matches(word.strip().lower(), ["changed", "changes", "changed_since"], n=1):
        if dialect.name and not dialect.marks_rows:
            return (
                f"{{{{{name}}}}}: this kind of database does not mark the rows that changed; compare a column with "
                "{{last_sync_time}}"
            )
        meant = table.strip() if table.strip().isidentifier() else "c"
        written = f"{{{{changed: {meant}}}}}"
        return f"unknown placeholder {{{{{name}}}}}; write {written}, with a table of the query by its alias"
    if difflib.get_close_matches(name.lower(), ["last_sync_time", "last_sync", "since"], n=1):
        return f"unknown placeholder {{{{{name}}}}}; did you mean {{{{last_sync_time}}}}?"
    if difflib.get_close_matches(name.lower(), ["until", "to", "end"], n=1):
        return f"unknown placeholder {{{{{name}}}}}; did you mean {{{{until}}}}?"
    return f"unknown placeholder {{{{{name}}}}}; there are {{{{last_sync_time}}}} and {{{{until}}}}"


def _padded(instead: str, match: re.Match[str]) -> str:
    return instead + re.sub(r"[^\n]", " ", match[0][len(instead) :])


def _blanked(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _plain(sql: str, dialect: Dialect) -> str:
    """The query without its comments, what is quoted replaced by quotes; every other character at its place."""
    from sqlglot.errors import TokenError

    try:
        tokens = tokens_of(sql, dialect)
    except TokenError:
        return sql
    characters = list(re.sub(r"[^\n]", " ", sql))
    for token in tokens:
        span = slice(token.start, token.end + 1)
        written = sql[span]
        # The text of a word that is not quoted is what was written, but for its case.
        characters[span] = written if written.upper() == token.text.upper() else re.sub(r"[^\n]", '"', written)
    return "".join(characters)
