"""What SQL Server refuses, as errors that say what to do next.

The server's own text is passed on only for errors about the query itself, which come before a row is read; texts
like ``Conversion failed when converting the varchar value '...'`` hold values, so those are named by number only.
Numbers: learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors, read 2026-11.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reverse_etl.errors import QueryError, SourceError, SourceUnavailableError
from reverse_etl.sources import _messages
from reverse_etl.sources._time_and_number import conversion_hint
from reverse_etl.sources.sqlserver.network import network_problem

if TYPE_CHECKING:
    import pyodbc

    from reverse_etl.sources.sqlserver import Config

_RECORD: Final = re.compile(r"\[(\w{5})\] (?:\[[^\]]*\])*(.*?) \((-?\d+)\)(?=; \[\w{5}\]| \(SQL\w+\)|$)", re.DOTALL)
_QUOTED: Final = re.compile(r"""['"]([^'"]*)['"]""")

_LOGIN: Final[dict[int, tuple[str, str]]] = {
    18456: (
        "the login of user {user} was refused: there is no such login, or the password is wrong",
        "Check `user` and {password}.",
    ),
    18452: (
        "the server takes only Windows logins",
        "Ask for mixed mode authentication, or for an Entra service principal.",
    ),
    18470: ("the login {user} is disabled", "Ask for: ALTER LOGIN [{user}] ENABLE."),
    18486: ("the login {user} is locked out", "Ask for: ALTER LOGIN [{user}] WITH PASSWORD = ... UNLOCK."),
    18487: ("the password of login {user} has expired", "Set a new one, and CHECK_EXPIRATION = OFF for this login."),
    18488: ("the password of login {user} must be changed", "Set a new one without MUST_CHANGE."),
    4060: (
        "there is no database {database}, or user {user} may not use it",
        "Check `database`; ask there for: CREATE USER [{user}] FOR LOGIN [{user}].",
    ),
    916: ("user {user} may not use database {database}", "Ask there for: CREATE USER [{user}] FOR LOGIN [{user}]."),
    40615: (
        "the firewall of {host} does not let this machine in",
        "Add its address to the server's firewall rules in the Azure portal.",
    ),
    40613: ("database {database} is not available now", "A paused database is resuming: run again in a minute."),
    978: (
        "database {database} takes only connections with application_intent: read_only",
        "Set `application_intent: read_only`.",
    ),
    976: ("database {database} is a replica that takes no connections", "Use the listener or another replica."),
    17142: ("the server is paused", "Ask for it to be resumed."),
    17809: ("the server has no connection left", "Try again later, or ask for a higher limit."),
    10928: ("the database has no connection left", "Try again later, or choose a larger service tier."),
    10929: ("the database has no connection left", "Try again later, or choose a larger service tier."),
}
"""Why there is no connection, and what to do."""

_ABOUT_THE_QUERY: Final = frozenset(
    {102, 103, 104, 105, 107, 108, 109, 111, 116, 119, 121, 130, 131, 137, 144, 145, 147, 148, 156, 157, 164, 170, 911}
    | {174, 189, 191, 195, 205, 206, 207, 208, 209, 213, 243, 305, 306, 319, 321, 334, 336, 343, 402, 420, 421, 422}
    | {529, 1011, 1012, 1013, 1033, 1046, 1060, 2705, 2715, 2812, 4104, 4121, 4145, 8116, 8117, 8120, 8121, 8124}
    | {8127, 8155, 8156, 8158, 8161, 10702, 10709, 10713, 10742, 10753, 11501, 11502, 46010}
)
"""Errors that come while a query is read and bound, before any row is."""

_HINTS: Final = {
    207: "Check the column's name, and the table's alias before it.",
    208: "Check the name, or put its schema before it: schema.table.",
    229: "",
    911: "Check the database before the table's name, and that `user` has a user in it.",
    1033: "Add TOP (...) or move ORDER BY to the end of the query.",
    2812: "Write one SELECT.",
    4104: "Check the table's alias before the column's name.",
}
_CHECK: Final = "Check the query against the database's tables and columns."

_STOPPED: Final[dict[int, tuple[str, str]]] = {
    220: ("a number does not fit the type that it is converted to", "CAST to a wider type; TRY_CAST gives NULL."),
    232: ("a number does not fit the type that it is converted to", "CAST to a wider type; TRY_CAST gives NULL."),
    241: ("conversion to a date or time failed", "TRY_CONVERT gives NULL instead."),
    242: ("conversion to a date or time is out of range", "TRY_CONVERT gives NULL instead."),
    245: ("conversion failed", "TRY_CAST gives NULL instead."),
    295: ("conversion to a date or time failed", "TRY_CONVERT gives NULL instead."),
    512: ("a subquery returned more than one value", "Add TOP (1), or an aggregate."),
    517: ("a sum of date-time and interval is beyond the years that the type holds", "CAST to DATETIME2, or filter."),
    535: ("two date-times are further apart than DATEDIFF can count", "Write DATEDIFF_BIG, or count in a larger unit."),
    701: ("the server's memory is full", "Narrow the query."),
    1105: ("the server's disk is full", "Ask for space in tempdb or the database."),
    1204: ("the server has no lock left", "Ask for READ_COMMITTED_SNAPSHOT ON, which reads without locks."),
    1205: (
        "another transaction and the query waited for each other",
        "Run again; READ_COMMITTED_SNAPSHOT ON reads without locks.",
    ),
    1222: (
        "another transaction holds rows of the query locked",
        "Run again when it is done; READ_COMMITTED_SNAPSHOT ON reads without locks.",
    ),
    3906: ("the session only reads, and the query does more", "Write one SELECT."),
    3952: (
        "another database of the query does not allow snapshots",
        "Ask there for: ALTER DATABASE ... SET ALLOW_SNAPSHOT_ISOLATION ON.",
    ),
    8114: ("conversion failed", "TRY_CAST gives NULL instead."),
    8115: (
        "a number does not fit the type that it is converted to",
        "CAST to a wider type. DATEADD takes no number above 2,147,483,647: count in minutes, or add in two steps.",
    ),
    8134: ("division by zero", "NULLIF(divisor, 0) gives NULL instead."),
    8169: ("conversion to a uniqueidentifier failed", "TRY_CAST gives NULL instead."),
    9002: ("the server's transaction log is full", "Ask for space."),
    9420: ("XML that is not well-formed", "TRY_CAST gives NULL instead."),
    13609: ("JSON that is not well-formed", "ISJSON(column) = 1 filters it."),
}
"""Errors of reading rows whose own text may hold values: their names, and what to do."""

_OVERFLOW: Final = 8115
"""Of a number that becomes a date-time too, as where one is compared with the other."""

_LOST: Final = frozenset({233, 596, 6002, 6005, 10053, 10054, 10060, 20003, 20004, 20006, 20017, 20047, 40197})


@dataclass(frozen=True, slots=True)
class Record:
    """One diagnostic record: SQLSTATE, text, and the server's or driver's number."""

    state: str
    text: str
    number: int


@dataclass(frozen=True, slots=True)
class Messages(_messages.Messages):
    """Errors of one connection to SQL Server; its facts are those of a server."""

    def login(self, error: pyodbc.Error, config: Config) -> SourceUnavailableError:
        """Why there is no connection; asks the network where the driver gives no reason."""
        records = _records(error)
        for record in records:
            if record.number in _LOGIN:
                message, hint = (text.format(**self.facts) for text in _LOGIN[record.number])
                return SourceUnavailableError(f"{self.where}: {message}.", hint=hint)
        reason = f"{records[0].text.rstrip('.')} ({records[0].number})" if records else "no reason given"
        return self.unreachable(config, reason)

    def unreachable(self, config: Config, reason: str = "no reason given") -> SourceUnavailableError:
        """What is found wrong on the way to the login, otherwise the driver's reason."""
        found = network_problem(config, self.facts)
        message, hint = found or (f"no connection: {reason}", "Check the connection's keys and the server's error log.")
        return SourceUnavailableError(f"{self.where}: {message}.", hint=hint)

    def name_not_text(self) -> QueryError:
        """A name holds half of a surrogate pair, which SQL Server stores and Unicode does not know."""
        return QueryError(
            f"{self.where}: the name of a column is not valid UTF-16.",
            hint="Write out the columns in place of *, and give that one another name: ... AS name.",
        )

    def is_loss(self, error: pyodbc.Error) -> bool:
        """Whether the connection is of no use any more."""
        return not _is_unread(error) and all(_is_loss(record) for record in _records(error)[:1])

    def refused(self, error: pyodbc.Error, *, sql: str = "") -> SourceError:
        """Why a call failed.

        Args:
            error: The driver's.
            sql: The query, when it was about to run; otherwise rows were being read.
        """
        if self.is_loss(error):
            return self.lost()
        if _is_unread(error):
            return QueryError(
                f"{self.where}: a column of the result is of a type that pyodbc does not read, such as GEOGRAPHY.",
                hint="CAST it: CAST(column AS NVARCHAR(4000)) AS column.",
            )
        records = _records(error)
        record = next((record for record in records if record.number), records[0])
        number = record.number
        if record.state == "HY091":
            return QueryError(
                f"{self.where}: a column of the result is of a type that FreeTDS does not know, such as SQL_VARIANT.",
                hint="CAST it: CAST(column AS NVARCHAR(4000)) AS column. Microsoft's driver reads it as it is.",
            )
        if number in {229, 230}:
            return self._denied(record)
        if number == 262:
            return self.read_only()
        if number in _LOGIN:
            message, hint = (text.format(**self.facts) for text in _LOGIN[number])
            return SourceUnavailableError(f"{self.where}: {message}.", hint=hint)
        conversion = conversion_hint(
            record.text, "DATEADD(SECOND, {{last_sync_time}}, CAST('1970-01-01' AS DATETIME2))"
        )
        if sql and number in _ABOUT_THE_QUERY:
            text = " ".join(record.text.split()).rstrip(".")
            return QueryError(f"{self.where}: {text} ({number}).", hint=conversion or _HINTS.get(number, _CHECK))
        name, hint = _STOPPED.get(number, (f"error {number}" if number else f"SQLSTATE {record.state}", ""))
        shown = f"{name} ({number})" if number in _STOPPED else name
        if number == _OVERFLOW:
            hint = conversion or hint
        hint = hint or "Run the query in sqlcmd or SSMS to see the server's own message."
        return QueryError(f"{self.where}: the server stopped the query: {shown}.", hint=hint)

    def _denied(self, record: Record) -> QueryError:
        """229 and 230 quote the object (or column), the database and the schema, in every language."""
        names = _QUOTED.findall(record.text)
        if len(names) < 3:
            return QueryError(
                f"{self.where}: user {self.facts['user']} may not do what the query does ({record.number}).",
                hint="Ask for: ALTER ROLE db_datareader ADD MEMBER.",
            )
        thing = f"{names[-1]}.{names[-3]}"
        if "SELECT" not in re.split("['\"]", record.text)[0]:
            return QueryError(
                f"{self.where}: user {self.facts['user']} only reads {thing}, and the query does more.",
                hint="Write one SELECT.",
            )
        quoted = ".".join(f"[{name}]" for name in (names[-1], names[-3]))
        return QueryError(
            f"{self.where}: user {self.facts['user']} may not read {thing}.",
            hint=f"Ask for: GRANT SELECT ON {quoted} TO [{self.facts['user']}].",
        )


def _is_unread(error: pyodbc.Error) -> bool:
    """Whether pyodbc itself refused the type of a column; it then gives the state last."""
    return bool(error.args[1:] == ("HY106",))


def _is_loss(record: Record) -> bool:
    # FreeTDS gives no reason when a connection is reset in the middle of a row.
    no_reason = (record.number, record.text) == (0, "Unknown error")
    return record.state.startswith("08") or record.number in _LOST or no_reason


def _records(error: pyodbc.Error) -> list[Record]:
    text = str(error.args[1]) if len(error.args) > 1 else ""
    return [Record(state, message, int(number)) for state, message, number in _RECORD.findall(text)]
