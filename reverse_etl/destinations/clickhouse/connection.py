"""The way to the server: a session that writes, made again when lost."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from reverse_etl.destinations._sql.interruptible import in_thread
from reverse_etl.destinations._sql.tunnelled import Tunnelled
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.clickhouse.failures import problem_of
from reverse_etl.destinations.clickhouse.session import LONGEST_STATEMENT, Address, Refused, Session
from reverse_etl.errors import DestinationRefusedError, UnauthorizedError
from reverse_etl.sources._tls import system_authorities

if TYPE_CHECKING:
    from reverse_etl.destinations.clickhouse.config import Config

_Result = TypeVar("_Result")

_SETTINGS: Final[dict[str, Any]] = {
    # NULL is not the column's default.
    "input_format_null_as_default": 0,
    "insert_null_as_default": 0,
    # An insert that has an answer is in the table.
    "async_insert": 0,
    # What an outer join or an aggregate has no row for is empty, and names are those of columns.
    "join_use_nulls": 1,
    "prefer_column_name_to_alias": 1,
    "final": 0,
    "cast_keep_nullable": 0,
    "transform_null_in": 0,
    "session_timezone": "UTC",
    # What is looked for in the table is all that is there now, or the statement fails.
    "limit": 0,
    "use_query_cache": 0,
    "apply_deleted_mask": 1,
    **dict.fromkeys((f"{what}_overflow_mode" for what in ("read", "set", "join", "result", "timeout")), "throw"),
    "max_query_size": LONGEST_STATEMENT,
}
"""What the server, or the user's profile, may have set otherwise."""


class Link:
    """One session at a time with one server.

    Args:
        config: Where to connect to.

    Attributes:
        user: Who writes.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._way = Tunnelled(config)
        self._session: Session | None = None
        self._reached = False
        self._lost = ""
        self.user = config.user.template

    async def connected(self) -> Session | TryAgain:
        """The session; made where there is none.

        Raises:
            UnauthorizedError: User or password are refused.
            DestinationRefusedError: The server cannot be verified, or has no such database.
            DestinationUnavailableError: The SSH tunnel does not lead there.
            UnsetVariableError: A value comes from an environment variable that is not set.
        """
        if self._session is not None:
            return self._session
        server, name = self._way.server(), self._config.label
        address = self._address(server)
        self.user = address.user
        try:
            self._session = await asyncio.to_thread(Session, address)
            self._reached = True
            if not await self.run(self._ended):
                await self.drop()
                return TryAgain("the server still works on the statement whose answer was lost")
        except Refused as refused:
            await self.drop()
            problem = problem_of(refused, self._facts(server, address))
            if problem.passes:
                return TryAgain(problem.what, away=not self._reached, hint=problem.hint)
            kind = UnauthorizedError if problem.credentials else DestinationRefusedError
            raise kind(f"{name}: {problem.what}.", hint=problem.hint) from None
        return self._session

    async def run(self, work: Callable[[Session], _Result]) -> _Result:
        """Does something with the session in a thread, which an interrupt ends too. Raises ``Refused``."""
        return await in_thread(work, self._session)

    async def drop(self, *, lost: bool = False) -> None:
        """Gives the session up, whatever state it is in.

        Args:
            lost: Whether the server may still work on its last statement: the next session waits for that.
        """
        session, self._session = self._session, None
        if session is not None and lost:
            self._lost = session.writing or self._lost
        if session is not None:
            await asyncio.to_thread(session.close)

    async def close(self) -> None:
        """Closes the session and the tunnel."""
        await self.drop()
        self._way.close()

    def _ended(self, session: Session) -> bool:
        """Whether the server works on nothing of ours any more."""
        if self._lost and session.still_runs(self._lost):
            return False
        self._lost = ""
        return True

    def _address(self, server: Config) -> Address:
        host, port = server.place
        return Address(
            host=host,
            port=port,
            name=server.host.resolve(),
            tls=server.tls,
            authorities=str(server.ca_file) if server.ca_file else system_authorities(),
            user=server.user.resolve(),
            password=server.password.resolve() if server.password else "",
            database=server.database.resolve(),
            settings={**_SETTINGS, "lock_acquire_timeout": max(1, math.ceil(server.lock_timeout.total_seconds()))},
        )

    @staticmethod
    def _facts(server: Config, address: Address) -> dict[str, str]:
        _, port = server.model_copy(update={"tunnel_port": None}).place
        return {
            "host": address.name,
            "port": str(port),
            "user": address.user,
            "database": address.database,
            "password": f"the value of {server.password.template}" if server.password else "`password`",
        }
