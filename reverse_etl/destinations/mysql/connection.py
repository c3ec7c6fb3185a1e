"""The way to the server: a connection that writes, strict whatever the server's own settings, made again when lost.

PyMySQL waits for the server; so what is done with a connection is done in a thread.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from reverse_etl.destinations._sql.interruptible import in_thread
from reverse_etl.destinations._sql.tunnelled import Tunnelled
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.mysql.config import Config
from reverse_etl.errors import DestinationRefusedError, SourceUnavailableError, UnauthorizedError
from reverse_etl.sources.mysql.login import address_of, facts, problem_of
from reverse_etl.sources.mysql.pymysql import PymysqlWire
from reverse_etl.sources.mysql.wire import LOST, Refused

_Result = TypeVar("_Result")

RIGHTS: Final = "SELECT, INSERT, UPDATE, CREATE TEMPORARY TABLES"
"""What a user needs."""

_NUMBERS_ROWS: Final = (10, 7)
"""Source: mariadb.com/kb/en/get-diagnostics."""
_MOST_WARNINGS: Final = 65_535
"""The most that a session can keep."""
_CONNECT_S: Final = 10.0
_ANSWER_S: Final = 3_600.0
_SILENT_MS: Final = 60_000
"""So long may what was sent stay without an answer of the server's machine."""
_RESTARTED_S: Final = 5
"""Two readings of when a server started may differ by less."""

_NO_LIMIT: Final = 2**64 - 1

SQL_MODE: Final = ",".join(
    (
        *("STRICT_ALL_TABLES", "NO_ZERO_DATE", "NO_ZERO_IN_DATE", "ERROR_FOR_DIVISION_BY_ZERO"),
        # Otherwise the key 0 of a numbered table becomes another one.
        *("NO_AUTO_VALUE_ON_ZERO", "NO_ENGINE_SUBSTITUTION"),
    )
)

_FACTS: Final = (
    "SELECT CONNECTION_ID(), VERSION(), CURRENT_USER(), @@max_allowed_packet, @@read_only OR @@innodb_read_only, "
    "@@log_bin AND @@session.binlog_format = 'STATEMENT', UNIX_TIMESTAMP()"
)
_UPTIME: Final = "SHOW GLOBAL STATUS LIKE 'Uptime'"


@dataclass(frozen=True, slots=True)
class Lost:
    """A connection of ours that may still be open on the server.

    Attributes:
        identifier: The server's number of it.
        started: When the server started, Unix seconds by its clock; another one has no such connection.
    """

    identifier: int
    started: int

    def is_of_start(self, started: int) -> bool:
        """Whether it is of the server that started then, read on another connection."""
        return abs(self.started - started) <= _RESTARTED_S


class Session:
    """One connection, by one thread at a time. Its methods raise ``Refused``.

    Attributes:
        version: As the server writes it.
        is_mariadb: Whether it is one.
        user: Who writes, as grants name it: ``'writer'@'%'``.
        packet_bytes: Longest statement.
        read_only: Whether the server takes no writes: it is a replica.
        place: What identifies the connection on the server.
    """

    def __init__(self, wire: PymysqlWire, lock_s: int) -> None:
        self._wire = wire
        try:
            self.run(f"SET SESSION sql_big_selects = 1, sql_select_limit = {_NO_LIMIT}")
            ((identifier, version, user, packet, read_only, by_statement, now),) = self.rows(_FACTS)
            ((_, uptime),) = self.rows(_UPTIME)
            self.version, self.is_mariadb = version, "MariaDB" in version
            name, _, host = user.rpartition("@")
            self.user = f"'{name}'@'{host}'"
            self.packet_bytes = int(packet)
            self.read_only = read_only != "0"
            self.place = Lost(int(identifier), int(now) - int(uptime))
            for setting in self._settings(lock_s, by_statement=by_statement == "1"):
                self.run(setting)
        except BaseException:
            wire.close()
            raise

    @property
    def number(self) -> tuple[int, ...]:
        """The version's numbers."""
        return tuple(int(part) for part in self.version.partition("-")[0].split(".") if part.isdigit())

    @property
    def numbers_rows(self) -> bool:
        """Whether its warnings have the numbers of the rows that they are about."""
        return self.is_mariadb and self.number >= _NUMBERS_ROWS

    def run(self, sql: str) -> None:
        """Runs a statement."""
        self._answer(sql)

    def rows(self, sql: str) -> list[tuple[str, ...]]:
        """The rows of a query, NULL as an empty text."""
        return [
            tuple("" if cell is None else cell.decode(errors="replace") for cell in row) for row in self._answer(sql)
        ]

    def cells(self, sql: str) -> list[tuple[str | None, ...]]:
        """The rows of a query, NULL as None."""
        return [
            tuple(None if cell is None else cell.decode(errors="replace") for cell in row) for row in self._answer(sql)
        ]

    def interrupt(self) -> None:
        """Ends what another thread waits for."""
        self._wire.interrupt()

    def close(self) -> None:
        """Closes the connection; the server rolls back what is not committed."""
        with suppress(Refused, OSError):
            self._wire.close()

    def _answer(self, sql: str) -> list[tuple[bytes | None, ...]]:
        try:
            return self._wire.answer(sql, time.monotonic() + _ANSWER_S)
        except TimeoutError:
            raise Refused(LOST, "no answer") from None

    def _settings(self, lock_s: int, *, by_statement: bool) -> Iterator[str]:
        """What the server, the user or ``init_connect`` may have set otherwise."""
        yield "SET NAMES utf8mb4"
        # A log of statements cannot repeat what other transactions did in between.
        level = "REPEATABLE READ" if by_statement else "READ COMMITTED"
        yield f"SET SESSION TRANSACTION ISOLATION LEVEL {level}, READ WRITE"
        checks = f", check_constraint_checks = 1, max_error_count = {_MOST_WARNINGS}" if self.is_mariadb else ""
        yield (
            f"SET SESSION autocommit = 1, sql_mode = '{SQL_MODE}', time_zone = '+00:00', completion_type = 'NO_CHAIN', "
            f"innodb_lock_wait_timeout = {lock_s}, lock_wait_timeout = {lock_s}, foreign_key_checks = 1, "
            "unique_checks = 1, sql_safe_updates = 0, sql_auto_is_null = 0, "
            f"group_concat_max_len = {self.packet_bytes}, "
            f"wait_timeout = GREATEST(@@session.wait_timeout, 3600){checks}"
        )


class Link:
    """One connection at a time to one server.

    Args:
        config: Where to connect to.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._way = Tunnelled(config)
        self._session: Session | None = None
        self._lost: Lost | None = None
        self._reached = False

    async def connected(self) -> Session | TryAgain:
        """The connection; made where there is none.

        Raises:
            UnauthorizedError: User or password are refused.
            DestinationRefusedError: The server cannot be verified, or has no such database.
            DestinationUnavailableError: The SSH tunnel does not lead there.
            UnsetVariableError: A value comes from an environment variable that is not set.
        """
        if self._session is not None:
            return self._session
        server, name = self._way.server(), self._config.label
        about = facts(server, rights=RIGHTS)
        try:
            address = address_of(server, name, answer_s=_CONNECT_S)
        except SourceUnavailableError as error:
            raise DestinationRefusedError(error.message, hint=error.hint) from None

        lock_s = max(1, math.ceil(server.lock_timeout.total_seconds()))

        def connect() -> Session:
            wire = PymysqlWire(address)
            wire.watch(_SILENT_MS)
            return Session(wire, lock_s)

        try:
            self._session = await asyncio.to_thread(connect)
            self._reached = True
            ended = await self.run(self._end_lost)
        except (Refused, TimeoutError) as error:
            problem = problem_of(error if isinstance(error, Refused) else Refused(0, "", error), about)
            await self.drop()
            if problem.passes:
                return TryAgain(problem.what, away=not self._reached, hint=problem.hint)
            kind = UnauthorizedError if problem.credentials else DestinationRefusedError
            raise kind(f"{name}: {problem.what}.", hint=problem.hint) from None
        if not ended:
            await self.drop(lost=self._lost)
            return TryAgain("the server has not ended the connection that was lost")
        return self._session

    async def run(self, work: Callable[[Session], _Result]) -> _Result:
        """Does something with the connection in a thread, which an interrupt ends too. Raises ``Refused``."""
        return await in_thread(work, self._session)

    async def drop(self, *, lost: Lost | None = None) -> None:
        """Gives the connection up, whatever state it is in; its transaction is rolled back by the server.

        Args:
            lost: One that the server may not know to be gone: the next connection ends it first.
        """
        session, self._session, self._lost = self._session, None, lost
        if session is not None:
            await asyncio.to_thread(session.close)

    async def close(self) -> None:
        """Closes the connection and the tunnel."""
        await self.drop()
        self._way.close()

    def _end_lost(self, session: Session) -> bool:
        """Has the server end a connection that was lost in a transaction; whether it is gone."""
        lost, here = self._lost, session.place
        if lost is None or not here.is_of_start(lost.started) or lost.identifier == here.identifier:
            self._lost = None
            return True
        with suppress(Refused):
            session.run(f"KILL CONNECTION {lost.identifier}")
        if session.rows(f"SELECT id FROM information_schema.processlist WHERE id = {lost.identifier}"):
            return False
        self._lost = None
        return True
