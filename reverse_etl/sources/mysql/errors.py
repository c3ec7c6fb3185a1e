"""What MySQL and MariaDB refuse, as errors that say what to do next.

The server's own text is passed on only where it cannot quote a row: while logging in, and for mistakes in the query
that are found while it is prepared, which reads no rows. Otherwise only the error's name is.

Source of the codes: dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html and
mariadb.com/kb/en/mariadb-error-code-reference/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reverse_etl.errors import QueryError, SourceError, SourceUnavailableError
from reverse_etl.sources import _messages
from reverse_etl.sources.mysql.login import one_line, place, problem_of
from reverse_etl.sources.mysql.wire import MALFORMED

if TYPE_CHECKING:
    from reverse_etl.sources.mysql.wire import Refused


_SCHEMA: Final = {
    1046: "Put the database before the table: database.table.",
    1049: "Check the database's name.",
    1051: "Check the name.",
    1052: "Put the table's name or alias before the column.",
    1054: "Check the column's name.",
    1055: "Name the column in GROUP BY, or aggregate it.",
    1056: "Group by a column, not by an aggregate.",
    1064: "Write one SELECT; the mysql client shows the same message.",
    1066: "Give each table an alias of its own.",
    1109: "Check the table's name or alias.",
    1111: "Aggregates go into SELECT or HAVING.",
    1115: "Check the character set's name.",
    1128: "Check the function's name.",
    1140: "Add GROUP BY.",
    1146: "Check the name, or put its database before it: database.table.",
    1193: "Check the variable's name.",
    1221: "Check the order of the clauses.",
    1222: "Give both sides of UNION the same columns.",
    1241: "Return one column from that subquery.",
    1247: "Check the alias.",
    1248: "Give the subquery in FROM an alias.",
    1267: "Add COLLATE to one side.",
    1305: "Check the function's name, or put its database before it.",
    1356: "The view is broken, or its owner may no longer read what it reads.",
    1449: "The view's owner no longer exists.",
    1582: "Check the function's arguments.",
    1630: "Check the function's name; no blank may stand before the parenthesis.",
    3554: "Read another table.",
    4078: "Cast one side.",
}
"""Mistakes in the query, whose text names tables and columns, and what to do."""

_DENIED: Final = re.compile(r"^(\w[\w ]*?) command denied to user .*? for (table|routine) '?(.+?)'?$")
_DENIED_COLUMN: Final = re.compile(r"^(\w[\w ]*?) command denied to user .*? for column '(.+)' in table '(.+)'$")
_DENIED_DATABASE: Final = re.compile(r"^Access denied for user .* to database '(.+)'$")

_DENIALS: Final = (1044, 1142, 1143, 1370)

_STOPPED: Final = {
    1028: "sort aborted",
    1030: "error from the storage engine",
    1038: "out of sort memory",
    1114: "a temporary table is full",
    1139: "error in a regular expression",
    1227: "a privilege is missing",
    1205: "waited too long for a lock",
    1213: "deadlock",
    1242: "a subquery returns more than one row",
    1292: "a value does not fit its type",
    1301: "a result is larger than max_allowed_packet",
    1317: "query interrupted",
    1365: "division by zero",
    1366: "a value does not fit its type",
    1411: "a value does not fit its type",
    1644: "a function raised an error",
    1690: "a number is out of range",
    3141: "invalid JSON text",
    3636: "a recursive query does not end",
}
"""Errors while rows are read, in words that hold none."""

_READ_ONLY: Final = (1290, 1792, 1836)
_TIMED_OUT: Final = (1969, 3024)
_LOST: Final = (1053, 1077, 1152, 1156, 1158, 1159, 1160, 1161, 1184, 1927)


@dataclass(frozen=True, slots=True)
class Messages(_messages.Messages):
    """Errors of one connection to MySQL or MariaDB; its facts are those of a server."""

    def login(self, refused: Refused) -> SourceUnavailableError:
        """Why there is no connection."""
        problem = problem_of(refused, self.facts)
        return self.unavailable(problem.what, problem.hint)

    def silent(self) -> SourceUnavailableError:
        """Nothing answers."""
        return self.unavailable(
            f"{place(self.facts)} does not answer", "Check `host`, `port` and the firewalls in between."
        )

    def refused(self, refused: Refused, *, sql: str = "") -> SourceError:
        """Why the server refused a query.

        Args:
            refused: The server's answer.
            sql: The query, when it was only prepared: the server's own text may be passed on.
        """
        code = refused.code
        if code == MALFORMED:
            return self.malformed()
        if refused.lost or code in _LOST:
            return self.lost()
        if code in _TIMED_OUT:
            return self.timed_out()
        if code in _READ_ONLY:
            return self.read_only()
        if code == 1065:
            return self.no_columns()
        if code in _DENIALS and (denied := self._denied(refused.text)):
            return denied
        if sql and code in _SCHEMA:
            text = _syntax(refused.text, sql) if code == 1064 else one_line(refused.text)
            return QueryError(f"{self.where}: {text}.", hint=_SCHEMA[code])
        what = _STOPPED.get(code, "error")
        return QueryError(
            f"{self.where}: the server stopped the query: {what} ({code}).",
            hint="Run the query in the mysql client to see the server's own message.",
        )

    def malformed(self) -> QueryError:
        """What came is no row of the result: by a defect, which a run again does not mend."""
        return self.query_error(
            f"a row cannot be read: its bytes are not as MySQL's protocol has them ({MALFORMED})",
            "This is a defect of reverse-etl, or of the server or a proxy: please report it with the server's version.",
        )

    def no_columns(self) -> QueryError:
        """The statement returns nothing."""
        return QueryError(f"{self.where}: the query returns no columns.", hint="Write one SELECT.")

    def number_for_time(self) -> QueryError:
        """The query compares a date-time with a number, which the server takes for a date."""
        return QueryError(
            f"{self.where}: the query compares a date-time with a number, which is taken for another date.",
            hint="Write FROM_UNIXTIME({{last_sync_time}}) in place of {{last_sync_time}}.",
        )

    def _denied(self, text: str) -> QueryError | None:
        user = self.facts["user"]
        if match := _DENIED_COLUMN.match(text):
            privilege, column, table = match.groups()
            hint = f"Ask for: GRANT {privilege} ({column}) ON {table} TO '{user}'@'%'."
            return QueryError(f"{self.where}: user {user} may not read column {column} of {table}.", hint=hint)
        if match := _DENIED.match(text):
            privilege, kind, name = match.groups()
            hint = f"Ask for: GRANT {privilege} ON {name} TO '{user}'@'%'."
            if kind == "routine":
                hint = f"Ask for: GRANT EXECUTE ON FUNCTION {name} TO '{user}'@'%'."
            elif privilege != "SELECT":
                hint = "Write one SELECT."
            may_not = "read" if privilege == "SELECT" else privilege.lower()
            return QueryError(f"{self.where}: user {user} may not {may_not} {kind} {name}.", hint=hint)
        if match := _DENIED_DATABASE.match(text):
            hint = f"Ask for: GRANT SELECT ON `{match[1]}`.* TO '{user}'@'%'."
            return QueryError(f"{self.where}: user {user} may not use database {match[1]}.", hint=hint)
        return None


def _syntax(text: str, sql: str) -> str:
    """What is wrong without the sentence about the manual."""
    near = re.search(r"near '(.*)' at line (\d+)", text, re.DOTALL)
    if near is None:
        return one_line(text)
    if near[1] and re.search(r";\s*" + re.escape(near[1]), sql):
        return "the query has more than one statement"
    there = one_line(near[1])
    return f"syntax error near '{there[:80]}' (line {near[2]})" if there else "syntax error at the end of the query"
