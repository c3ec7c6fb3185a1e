"""Functions that do more than read this database: they reach other servers or files, run text, or change something.

Servers refuse most of them to a user who can only read; here they are found by name before a server is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import Token

    from reverse_etl.config.dialect import Dialect


@cache
def _compiled(dialect: Dialect) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(names, re.IGNORECASE), what) for names, what in dialect.refused_functions)


def function_problems(tokens: Sequence[Token], dialect: Dialect) -> Iterator[tuple[int, str]]:
    """Calls that a query may not make, each as its line (from 1) and a sentence."""
    from sqlglot import TokenType

    refused = _compiled(dialect)
    for token, following in pairwise(tokens):
        if following.token_type != TokenType.L_PAREN or token.token_type == TokenType.STRING:
            continue
        for names, what in refused:
            if names.fullmatch(token.text):
                yield token.line, f"must only read this database, but calls {token.text.upper()}, {what}"
    words = [token.text.upper() for token in tokens] if dialect.sequences else []
    for at, token in enumerate(tokens[: len(words)]):
        text = f"{' '.join(words[at : at + 3])} "
        if any(text.startswith(f"{taking} ") for taking in dialect.sequences):
            yield token.line, "must only read this database, but takes the next value of a sequence"
