"""Which rows a query leaves out: by LIMIT, by a sample, by the clock, by a strict comparison with last sync time.

What sqlglot cannot read is judged by its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from reverse_etl.config.ranks import ranks
from reverse_etl.config.sql_nodes import Place, called, line_of
from reverse_etl.config.sql_text import PLACEHOLDER, blank_placeholders, one_statement, reads_changes, tokens_of
from reverse_etl.config.statement import quiet_sqlglot

if TYPE_CHECKING:
    from sqlglot import Token, exp

    from reverse_etl.config.dialect import Dialect


MARK: Final = "7360294851736029"
"""Stands for last sync time in the tree; no query has this number otherwise."""
_CUTTING: Final = frozenset({"LIMIT", "TOP", "FETCH", "OFFSET", "TABLESAMPLE", "SAMPLE"})
_CLOCKS: Final = frozenset(
    {"now", "sysdate", "systimestamp", "getdate", "getutcdate", "sysdatetime", "sysutcdatetime", "sysdatetimeoffset"}
    | {"clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday", "get_current_timestamp", "today"}
    | {"curdate", "curtime", "utc_timestamp", "utc_date", "utc_time", "localtime", "localtimestamp"}
    | {"current_timestamp", "current_date", "current_time", "current_datetime", "current_localtimestamp"}
    | {"get_current_time", "current_localtime", "ago"}
)
_CLOCK_VARIABLES: Final = frozenset({"timestamp"})
"""Clocks after ``@@``."""
_SUBSECOND: Final = frozenset({"subsec", "subsecond"})
"""What asks SQLite's functions of time for now, where it stands alone."""
_CLOCKS_WITHOUT_ARGUMENTS: Final = frozenset({"unix_timestamp", "unixepoch", "julianday", "datetime", "date", "time"})
_CHANCE: Final = frozenset(
    {"rand", "random", "random_normal", "randomblob", "random_bytes", "crypt_gen_random", "randstr", "newid"}
    | {"uuid", "gen_random_uuid", "generate_uuid", "uuid_string", "uuid_short", "uuidv4", "uuidv7"}
    | {"uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4"}
)
_WORTH_A_LOOK: Final = re.compile(rf">(?!=)|<(?![=>])|\bNOT\b|\b(?:{'|'.join(sorted(_CUTTING))})\b", re.IGNORECASE)


@lru_cache(maxsize=4096)
def advice(sql: str, dialect: Dialect) -> tuple[Place, ...]:
    """What in a query that returns only what changed loses rows, each as a line and a sentence."""
    if not reads_changes(sql) or _WORTH_A_LOOK.search(PLACEHOLDER.sub("", sql)) is None:
        return ()
    tree, tokens = read_marked(sql, dialect)
    found = [
        (
            line,
            f"{word} cuts rows off, and they are never sent, because last sync time moves past them: leave it out; "
            "max_rows guards against too many",
        )
        for line, word in _cuts(tree, tokens)
    ]
    if tree is not None:
        found += _strict(tree)
    return tuple(found)


@lru_cache(maxsize=1024)
def left_out_by(sql: str, dialect: Dialect) -> tuple[Place, ...]:
    """Why a query does not return everybody each time: LIMIT and the like, ranks, samples, chance, the clock."""
    tree, tokens = read_marked(sql, dialect)
    found = [
        *_cuts(tree, tokens),
        *ranks(tree),
        *(_unsteady(tree, dialect) if tree is not None else _unsteady_words(tokens)),
    ]
    return tuple(dict.fromkeys(found))


def read_marked(sql: str, dialect: Dialect) -> tuple[exp.Expr | None, list[Token]]:
    """The query's tree, ``MARK`` for each last sync time, and its words; None and nothing where it cannot be read."""
    from sqlglot import parse_one
    from sqlglot.errors import ParseError, TokenError

    text = blank_placeholders(sql, MARK)
    try:
        tokens = tokens_of(text, dialect)
    except TokenError:
        return None, []
    try:
        with quiet_sqlglot():
            statement = one_statement(text, dialect)
            # Line breaks in place of what is cut off, so that lines stay lines of the query.
            before = "\n" * text.count("\n", 0, text.find(statement))
            return parse_one(before + statement, dialect=dialect.name), tokens
    except (ParseError, RecursionError):
        return None, tokens


def _cuts(tree: exp.Expr | None, tokens: list[Token]) -> list[Place]:
    """The first word that cuts rows off, where one does."""
    words = [(token.line, token.text.upper()) for token in tokens if token.text.upper() in _CUTTING]
    if tree is not None and not any(map(_cuts_rows, _cutting_nodes(tree))):
        return []
    return words[:1]


def _cutting_nodes(tree: exp.Expr) -> Iterator[exp.Expr]:
    from sqlglot import exp

    return tree.find_all(exp.Limit, exp.Fetch, exp.Offset, exp.TableSample)


def _cuts_rows(node: exp.Expr) -> bool:
    """Whether it takes rows from the result: not one of a value, an EXISTS, or of one row that all others share.

    A list that rows are compared with (IN, ANY, ALL) takes some from it.
    """
    from sqlglot import exp

    if isinstance(node, exp.TableSample):
        return True
    if isinstance(node.parent, exp.AggFunc | exp.Order) and node.find_ancestor(exp.AggFunc, exp.Query) is not None:
        return _cuts_a_list(node)
    count = node.args.get("count") or node.args.get("expression")
    options = node.args.get("limit_options")
    number = count.this if isinstance(count, exp.Literal) else None
    every = isinstance(count, exp.Null | exp.Neg) or (isinstance(count, exp.Var) and count.name.upper() == "ALL")
    of_hundred = number == "100" and options is not None and options.args.get("percent")
    if every or of_hundred or (isinstance(node, exp.Offset) and number == "0"):
        return False
    query = node.parent
    is_whole, in_list = True, False
    while query is not None and query.parent is not None:
        inside, query = query, query.parent
        is_whole = is_whole and isinstance(query, exp.Subquery) and query.parent is None
        in_list = in_list or isinstance(query, exp.In | exp.Any | exp.All | exp.Unnest)
        if isinstance(query, exp.Exists | exp.Lateral):
            return False
        if isinstance(query, exp.Select):
            chooses = in_list and inside.arg_key != "expressions"
            if not chooses and inside.arg_key not in ("from_", "from", "joins", "with_", "with"):
                return False
            in_list = False
    return is_whole or number != "1"


def _cuts_a_list(node: exp.Expr) -> bool:
    """Whether a LIMIT within an aggregate takes rows away: from the list of all, or from one that becomes rows again.

    The first of each group is no row less, and a list that is merely returned is a value.
    """
    from sqlglot import exp

    query = node.find_ancestor(exp.Select)
    if query is None or query.args.get("group") is None:
        return True
    becomes_rows = node.root().find(exp.Unnest, exp.Explode) is not None
    return becomes_rows and node.expression.name != "1"


def _strict(tree: exp.Expr) -> list[Place]:
    from sqlglot import exp

    found = []
    for node in tree.find_all(exp.GT, exp.LT, exp.GTE, exp.LTE):
        if node.find_ancestor(exp.Where, exp.Having, exp.Join, exp.Qualify) is None:
            continue
        # NOT a <= b is a > b.
        kind = _NEGATED[type(node).__name__] if _is_negated(node) else type(node).__name__
        row, time = (node.this, node.expression) if kind in ("GT", "LTE") else (node.expression, node.this)
        overlap = (exp.Sub, exp.Neg, exp.DateSub, exp.TimestampSub, exp.DatetimeSub, exp.TsOrDsAdd)
        if kind not in ("GT", "LT") or not _holds_mark(time) or _holds_mark(row):
            continue
        earlier = any(literal.this.startswith("-") for literal in time.find_all(exp.Literal))
        if not earlier and time.find(*overlap) is None and row.find(exp.Add, exp.DateAdd, exp.TimestampAdd) is None:
            sign = ">=" if kind == "GT" else "<="
            text = (
                f"`{sign[0]}` leaves out rows that changed in the very second of last sync time: write `{sign}`; a row "
            )
            found.append((line_of(node), text + "that is sent again does no harm"))
    return found


_NEGATED: Final = {"GT": "LTE", "LT": "GTE", "GTE": "LT", "LTE": "GT"}


def _is_negated(node: exp.Expr) -> bool:
    from sqlglot import exp

    negations = 0
    up = node.parent
    while isinstance(up, exp.Not | exp.Paren | exp.And | exp.Or):
        negations += isinstance(up, exp.Not)
        up = up.parent
    return negations % 2 == 1


def _holds_mark(side: exp.Expr) -> bool:
    from sqlglot import exp

    if side.find(exp.Query) is not None:
        return False
    return any(literal.this.strip() == MARK for literal in side.find_all(exp.Literal))


def _unsteady(tree: exp.Expr, dialect: Dialect) -> Iterator[Place]:
    """Clocks and chance beside what the outermost query, or each of a UNION, merely returns."""
    returned = {id(part) for projection in _returned(tree) for part in projection.walk()}
    for node in tree.walk():
        if id(node) not in returned and (what := "chance" if called(node) in _CHANCE else _clock(node, dialect)):
            yield line_of(node), what


def _returned(tree: exp.Expr) -> list[exp.Expr]:
    """What the outermost query returns; or each of a UNION, which keeps one of equal rows and so leaves out no row."""
    from sqlglot import exp

    if isinstance(tree, exp.Subquery | exp.Paren):
        return _returned(tree.this)
    if isinstance(tree, exp.Union):
        return [*_returned(tree.this), *_returned(tree.expression)]
    return tree.expressions if isinstance(tree, exp.Select) else []


def _clock(node: exp.Expr, dialect: Dialect) -> str:
    """``the clock`` where a node's value depends on it; otherwise empty."""
    from sqlglot import exp

    if isinstance(node, exp.Literal):
        word = node.this.strip().lower() if node.is_string else ""
        relative = (word == "now" and not _is_plain_text(node, dialect)) or (
            word in ("today", "yesterday", "tomorrow") and isinstance(node.parent, exp.Cast)
        )
        return "the clock" if relative or (word in _SUBSECOND and _is_only_argument(node)) else ""
    if isinstance(node, exp.SessionParameter):
        return "the clock" if node.name.lower() in _CLOCK_VARIABLES else ""
    if isinstance(node, exp.Column):
        return "the clock" if _is_unparsed_clock(node, dialect) else ""
    name = called(node)
    arguments = len(node.expressions) if isinstance(node, exp.Anonymous) else int(node.args.get("this") is not None)
    alone = (name in _CLOCKS_WITHOUT_ARGUMENTS and not arguments) or (name == "age" and arguments == 1)
    return "the clock" if name in _CLOCKS or alone else ""


def _is_plain_text(literal: exp.Expr, dialect: Dialect) -> bool:
    """Whether a text is compared with something, and the engine leaves it a text."""
    from sqlglot import exp

    inside, node = literal, literal.parent
    while isinstance(node, exp.Paren | exp.Coalesce | exp.Lower | exp.Upper | exp.Trim | exp.Case | exp.If):
        if isinstance(node, exp.If) and inside.arg_key == "this":
            break
        inside, node = node, node.parent
    return not dialect.times_in_text and isinstance(node, exp.Predicate | exp.If)


def _is_unparsed_clock(column: exp.Column, dialect: Dialect) -> bool:
    """Whether sqlglot takes for a column what the engine takes for a clock, or for the text that asks for one."""
    from sqlglot import exp

    name, is_quoted = column.name.lower(), bool(column.this.args.get("quoted"))
    if is_quoted:
        return dialect.quoted_text and name == "now" and isinstance(column.parent, exp.Func)
    return name in dialect.clock_words and not column.table


def _is_only_argument(node: exp.Expr) -> bool:
    from sqlglot import exp

    return isinstance(node.parent, exp.Anonymous) and len(node.parent.expressions) == 1


def _unsteady_words(tokens: list[Token]) -> Iterator[Place]:
    of_server = False
    for token in tokens:
        word = token.text.lower()
        of_server = word == "@@" or (of_server and word in ("session", "local", ".", *_CLOCK_VARIABLES))
        if of_server and word in _CLOCK_VARIABLES:
            yield token.line, "the clock"
        if word in _CLOCKS | _CHANCE:
            yield token.line, "chance" if word in _CHANCE else "the clock"
