"""What the errors of every engine have in common; an engine adds its own codes, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Final, NamedTuple

from reverse_etl.config.intervals import format_interval
from reverse_etl.errors import QueryError, SourceUnavailableError

MOST_S: Final = 24 * 86_400.0
"""What servers count in 32 bits of milliseconds: 24 days."""


class Problem(NamedTuple):
    """Why there is no connection.

    Attributes:
        what: Without a full stop.
        hint: The next thing to do.
        passes: Whether it may be over in a minute.
        credentials: Whether user or password were refused.
    """

    what: str
    hint: str
    passes: bool
    credentials: bool


@dataclass(frozen=True, slots=True)
class Messages:
    """Errors of one connection; none of them holds a secret or a value.

    Attributes:
        where: How messages call the connection.
        facts: What texts may name in braces: ``host``, ``user`` and their like, and ``password``: where it comes from.
        timeout: The longest that a query may take.
    """

    where: str
    facts: dict[str, str] = field(repr=False)
    timeout: timedelta

    server: ClassVar[str] = "The server"
    """Who may have restarted."""
    faster: ClassVar[str] = "an index on the column it filters by"
    """What makes a query faster."""

    @property
    def longest_s(self) -> float:
        """The time limit in seconds, at most ``MOST_S``."""
        return min(self.timeout.total_seconds(), MOST_S)

    def lost(self) -> SourceUnavailableError:
        """The connection broke off."""
        return self.unavailable(
            "the connection was lost during the query",
            f"{self.server} may have restarted, or something in between closed it; run the sync again.",
        )

    def timed_out(self) -> QueryError:
        """The query took longer than ``query_timeout``, or nothing came any more."""
        limit = self.timeout
        length = format_interval(limit) if limit.microseconds == 0 else f"{limit.total_seconds():g}s"
        return self.query_error(
            f"the query did not end within query_timeout ({length})",
            f"Make it faster ({self.faster}), or raise query_timeout.",
        )

    def read_only(self) -> QueryError:
        """The query would write."""
        return self.query_error(
            "the session only reads, and the query does more", "Write one SELECT, without functions that write."
        )

    def several_statements(self) -> QueryError:
        """The query is more than one."""
        return self.query_error("the query has more than one statement", "Write one SELECT.")

    def parameter(self, mark: str) -> QueryError:
        """The query has a placeholder of its own."""
        return self.query_error(
            f"the query has a parameter ({mark})",
            "Only placeholders such as {{last_sync_time}} are replaced in a query.",
        )

    def unavailable(self, what: str, hint: str) -> SourceUnavailableError:
        """An error of the way to the server, of texts without a full stop and with one."""
        return SourceUnavailableError(f"{self.where}: {what}.", hint=hint)

    def query_error(self, what: str, hint: str) -> QueryError:
        """An error of the query, likewise."""
        return QueryError(f"{self.where}: {what}.", hint=hint)
