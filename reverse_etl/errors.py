"""Every public error, by who acts next. Failed rows are data, not errors: see ``report.FailedRow``.

    ReverseEtlError                     exit code 1
    ├── ConfigError                     2   the author of the YAML; also of a name that the destination does not know
    │   ├── ConfigProblemsError             all problems of all files at once
    │   ├── UnsetVariableError              an environment variable is missing
    │   └── MissingDriverError              an optional package is not installed
    ├── SourceError                     3   the database's administrator
    │   ├── SourceUnavailableError          cannot be reached or logged in to
    │   └── QueryError                      the database refused the query, or its result cannot be used
    ├── CheckFailedError                4   the owner of the data: a check stopped the run
    ├── DestinationError                5   the destination's administrator
    │   ├── UnauthorizedError               credentials refused; never retried
    │   ├── DestinationUnavailableError     no usable answer within the retry budget
    │   │   └── CallsUsedUpError                the calls that the service allows for a day
    │   └── DestinationRefusedError         a right is missing, the address is another's, or every request is refused
    ├── StateError                      6   the administrator of the state database and the home folder
    │   └── WorkspaceBusyError              another run has the workspace: this one is skipped, nothing was sent
    └── AlertNotSentError               1   the administrator of a channel of ``notify``; never ends a run

A message says what, and where (file:line, sync, connection, column, row number); the hint is the next
thing to do. Neither ever holds a secret or a row's value.
"""

from __future__ import annotations

from typing import ClassVar

from reverse_etl.counted import counted

SOME_ROWS_FAILED_EXIT_CODE = 7
"""Exit code of a run that delivered some rows and has failed rows: an end, not an error."""

INTERRUPTED_EXIT_CODE = 130
"""Exit code of a command that Ctrl-C ended, as shells have it; a run is closed as canceled."""

INTERRUPTIONS = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")
"""The names of the classes that Ctrl-C is raised as."""


class ReverseEtlError(Exception):
    """Base of every error a user can cause or mend.

    Attributes:
        message: One sentence: what is wrong and where.
        hint: The next command to run or key to change; may be empty.
        where: Set by ``located``: the sync and file the error belongs to; may be empty.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = ""

    def located(self, where: str) -> ReverseEtlError:
        """Says where the error belongs (``sync customers (syncs/customers.yaml)``), unless it does already."""
        self.where = self.where or where
        return self

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} {self.hint}" if self.hint else text


class ConfigError(ReverseEtlError):
    """A file, a query or an environment variable is not as it must be, or names what the destination does not have."""

    exit_code = 2


class ConfigProblemsError(ConfigError):
    """All problems of all files, one line each.

    Attributes:
        problems: Lines of the form ``file:line: key: what is wrong``, sorted by file and line.
    """

    def __init__(self, problems: list[str], then: str = "") -> None:
        found = f"{counted(len(problems), 'problem')} found."
        super().__init__("\n".join(problems), hint="\n" + " ".join(filter(None, (found, then))))
        self.problems = problems


class UnsetVariableError(ConfigError):
    """A ``${VARIABLE}`` named in a file has no value in the environment."""


class MissingDriverError(ConfigError):
    """A database type needs a package that is not installed."""


class SourceError(ReverseEtlError):
    """A database could not give the rows."""

    exit_code = 3


class SourceUnavailableError(SourceError):
    """The database cannot be reached, verified or logged in to."""


class QueryError(SourceError):
    """The database refused the query, or its result cannot be used.

    Attributes:
        sql: The query, where it is one of a sync's file, with its placeholders replaced; otherwise empty.
    """

    sql = ""


class CheckFailedError(ReverseEtlError):
    """A check with severity ``stop``, or a gate such as ``max_failed_rows``, stopped the run: nothing was sent."""

    exit_code = 4


class DestinationError(ReverseEtlError):
    """The destination could not take the rows."""

    exit_code = 5


class UnauthorizedError(DestinationError):
    """The destination refused the credentials."""


class DestinationUnavailableError(DestinationError):
    """The destination gave no usable answer within the retry budget."""


class CallsUsedUpError(DestinationUnavailableError):
    """The calls that the destination allows for a day are used up."""


class DestinationRefusedError(DestinationError):
    """The destination lets no row through: a right or scope is missing, or it is not the one that is asked for."""


# A workspace is a destination; users may catch its errors by that word.
WorkspaceError = DestinationError
WorkspaceUnavailableError = DestinationUnavailableError
WorkspaceRefusedError = DestinationRefusedError


class StateError(ReverseEtlError):
    """The state database or the home folder cannot be read or written."""

    exit_code = 6


class AlertNotSentError(ReverseEtlError):
    """A channel did not take an alert. The run continues: it is a warning, and the alert is sent later."""


class WorkspaceBusyError(StateError):
    """Another run of the workspace is in progress: this one is skipped, and nothing was read or sent."""
