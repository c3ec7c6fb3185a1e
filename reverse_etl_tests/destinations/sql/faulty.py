"""Servers that get into trouble on purpose: each engine says how, as far as a suite of its needs it."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from reverse_etl_tests.destinations.sql.tables import SqlServer
from reverse_etl_tests.servers.cut import Cut


class FaultyServer(SqlServer, ABC):
    """A database in which things go wrong.

    Attributes:
        commit: The bytes of a COMMIT on its way to the server.
        troubles: The server's codes of what passes, each with words of the reason.
        lasting: One of them.
    """

    commit: ClassVar[bytes]
    troubles: ClassVar[Mapping[str, str]]
    lasting: ClassVar[str]

    def raise_first(self, times: int, trouble: str, *, table: str = "customers") -> None:
        """Has the first writes of a row of a table fail with a code."""
        raise NotImplementedError

    def end_first_sessions(self, times: int, *, table: str = "customers") -> None:
        """Has the server end the session of the first writes of a row."""
        raise NotImplementedError

    def calm(self, table: str) -> None:
        """Ends what ``raise_first`` began."""
        raise NotImplementedError

    def count_writes(self, table: str, counts: str) -> None:
        """From now on, the key of each row of a table that is added or changed is added to another one."""
        raise NotImplementedError

    def other_writer(self, *, yields: bool = False) -> AbstractContextManager[Callable[[str], Any]]:
        """Another session in a transaction: a function that runs a statement there.

        Args:
            yields: Whether it is the one that the server ends in a deadlock, where the server can be told.
        """
        raise NotImplementedError

    def grant_delete(self, table: str) -> None:
        """Lets the writer delete rows of a table."""
        raise NotImplementedError

    def waits(self) -> bool:
        """Whether a session of the writer waits for a lock."""
        raise NotImplementedError

    def sessions(self) -> int:
        """How many sessions of the writer the server has."""
        raise NotImplementedError

    def left_behind(self) -> list[str]:
        """The names of what a run made for itself and the server still has."""
        raise NotImplementedError

    def crash(self) -> None:
        """Ends the server without warning; it starts again by itself."""
        raise NotImplementedError

    def demote(self, relay: Cut) -> None:
        """From now on, who comes by a relay finds a server that only reads, until ``promote``."""
        raise NotImplementedError

    def promote(self, relay: Cut) -> None:
        """Ends that."""
        raise NotImplementedError
