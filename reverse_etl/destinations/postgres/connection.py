"""The way to the server: a connection that writes, made again when it was lost."""

from __future__ import annotations

from typing import Any, Final

import psycopg

from reverse_etl.destinations._sql.tunnelled import Tunnelled
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.postgres.config import Config
from reverse_etl.errors import DestinationRefusedError, UnauthorizedError
from reverse_etl.sources.postgres.login import connection_parameters, facts, problem_of

_CONNECT_S: Final = 10.0
_SILENT_MS: Final = 60_000
"""So long may what was sent stay without an answer of the server's machine."""
_TIMELINE: Final = (
    "SELECT pg_catalog.pg_is_in_recovery(), CASE WHEN NOT pg_catalog.pg_is_in_recovery() "
    "THEN left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8) END"
)
"""A WAL file's name begins with it. Source: postgresql.org/docs/18/wal-internals.html."""


class Link:
    """One connection at a time to one server.

    Args:
        config: Where to connect to.

    Attributes:
        user: Who writes, once connected.
        is_standby: Whether the server only reads.
        timeline: Of the server's history: a standby that takes over begins another one, in which transactions have
            numbers of the old one again. Empty for a standby, and where the server does not say.
    """

    def __init__(self, config: Config) -> None:
        self._name = config.label
        self._way = Tunnelled(config)
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._reached = False
        self.user = ""
        self.is_standby = False
        self.timeline = ""

    async def connected(self) -> psycopg.AsyncConnection[Any] | TryAgain:
        """The connection, in autocommit mode; made where there is none.

        Raises:
            UnauthorizedError: User or password are refused.
            DestinationRefusedError: The server cannot be verified, or has no such database.
            DestinationUnavailableError: The SSH tunnel does not lead there.
            UnsetVariableError: A value comes from an environment variable that is not set.
        """
        if self._connection is not None and not self._connection.closed:
            return self._connection
        server = self._way.server()
        parameters = connection_parameters(server, most_s=_CONNECT_S) | {"tcp_user_timeout": _SILENT_MS}
        about = facts(server, parameters)
        try:
            connect = psycopg.AsyncConnection.connect
            # A pooler may give each transaction another session: statements are not prepared for the next one.
            self._connection = await connect(**parameters, autocommit=True, prepare_threshold=None)
        except psycopg.Error as error:
            problem = problem_of(error, about)
            if problem.passes:
                return TryAgain(problem.what, away=not self._reached, hint=problem.hint)
            kind = UnauthorizedError if problem.credentials else DestinationRefusedError
            raise kind(f"{self._name}: {problem.what}.", hint=problem.hint) from None
        self._reached = True
        self.user = about["user"]
        self.is_standby, self.timeline = await self._history(self._connection)
        return self._connection

    @staticmethod
    async def _history(connection: psycopg.AsyncConnection[Any]) -> tuple[bool, str]:
        """Whether the server only reads, and its timeline; some services have no function for that."""
        try:
            standby, timeline = await (await connection.execute(_TIMELINE)).fetchone() or (False, "")
        except psycopg.Error:
            return False, ""
        return bool(standby), timeline or ""

    async def drop(self) -> None:
        """Gives the connection up, whatever state it is in; its transaction is rolled back by the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def close(self) -> None:
        """Closes the connection and the tunnel."""
        await self.drop()
        self._way.close()
