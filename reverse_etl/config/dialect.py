"""What an engine's SQL means, as far as a query's text shows, and how values are written into it.

Each engine declares its own ``Dialect`` in ``reverse_etl.sources``; here is what the record holds, and what follows
for an engine that is not known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

ELSEWHERE: Final = "which reaches other servers or files"
RUNS_TEXT: Final = "which runs text that cannot be checked"
CHANGES: Final = "which changes or locks something"


NUMBER: Final = "number"
TEXT: Final = "text"
TEXT_WITH_T: Final = "text with t"
DAY_IN_TEXT: Final = "day in text"
"""What the values of a column show where its type does not: Unix seconds, ``2026-11-28 13:00:00``, the same with a T
between day and time, and ``2026-11-28``."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Last sync time as the columns of some types compare with it.

    Attributes:
        types: A regular expression of these types as the database declares them, in lower case; or ``TEXT`` and the
            like.
        sql: What to compare with; ``{timezone}`` is replaced by the zone of date-times without one.
        local: The same where that zone is not UTC; ``sql`` where it is empty.
    """

    types: str
    sql: str
    local: str = ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One engine's SQL.

    Attributes:
        name: In sqlglot; empty when the engine is not known: then quotes and comments may be other than they seem.
        unquoted_names: How a name without quotes is stored. Where it is kept, a result may spell it as its table does.
        names_functions: Whether a column without a name is called after its function or type (``count``, ``lower``);
            elsewhere its name is the expression's text, nothing, or a number.
        made_up_names: A regular expression of names that the engine invents for columns without one.
        from_first: Whether a query may begin with FROM.
        needs_semicolons: Whether only semicolons separate statements.
        runs_comments: Whether ``/*! … */`` is executed.
        at_is_variable: Whether ``@`` before a word makes it a variable.
        refused_functions: Regular expressions of functions that do more than read this database, each with what it
            does: ``ELSEWHERE``, ``RUNS_TEXT`` or ``CHANGES``.
        sequences: Words, with a space between tokens, that take the next value of a sequence.
        clock_words: Clocks, in lower case, that need no parentheses and that sqlglot takes for columns.
        times_in_text: Whether text that is compared with a time is read as one, ``'now'`` included.
        quoted_text: Whether a quoted name that no column has is text.
        reserved: Words that must be quoted as names, in upper case, beside those that nearly all engines reserve.
        text_type: The type to which values of every other one can be cast, to be compared with text.
        quote: A single quote within a text.
        national: Before a text that is not ASCII.
        exact_number: How a number is written, ``{}``, that would lose digits as a plain one: a decimal, or an integer
            beyond 64 bits. Empty where plain ones lose none.
        typed_columns: Whether a column has one type.
        whole_integers: Whether a column whose values here are all whole numbers has no fractions elsewhere.
        marks_rows: Whether the database marks each row so that a query can tell which changed (``{{changed: c}}``).
        has_log: Whether the database's log tells which keys changed (``changes: {by: log}``).
        bounds: Last sync time for columns of each type of time; the first that fits counts.
        compares_anything: Whether text is compared with a number without an error.
        bare_subqueries: Whether neither WITH nor ORDER BY nor OPTION may stand in a query that is used as a table.
    """

    name: str
    unquoted_names: Literal["kept", "lower", "upper"] = "kept"
    names_functions: bool = False
    made_up_names: str = ""
    from_first: bool = False
    needs_semicolons: bool = True
    runs_comments: bool = False
    at_is_variable: bool = True
    refused_functions: tuple[tuple[str, str], ...] = ()
    sequences: tuple[str, ...] = ()
    clock_words: frozenset[str] = frozenset()
    times_in_text: bool = False
    quoted_text: bool = False
    reserved: frozenset[str] = frozenset()
    text_type: str = "TEXT"
    quote: str = "''"
    national: str = ""
    exact_number: str = ""
    typed_columns: bool = True
    whole_integers: bool = True
    bare_subqueries: bool = False
    marks_rows: bool = False
    has_log: bool = False
    bounds: tuple[Bound, ...] = ()
    compares_anything: bool = False

    def bound(self, kind: str, timezone: str = "UTC") -> str:
        """What a column is compared with so that only what changed is read.

        Args:
            kind: Its type as the database declares it, or what its values show.
            timezone: The zone of date-times without one.

        Returns:
            SQL with ``{{last_sync_time}}``; empty where nothing is known for this kind.
        """
        if kind == NUMBER:
            return "{{last_sync_time}}"
        for each in self.bounds:
            if re.fullmatch(each.types, kind.lower()):
                return (each.local if each.local and timezone != "UTC" else each.sql).replace("{timezone}", timezone)
        return ""


UNKNOWN: Final = Dialect("", from_first=True, at_is_variable=False, made_up_names=r"\?column\?", times_in_text=True)
"""Of an engine that is not known: only what no engine takes for a query is a problem."""
