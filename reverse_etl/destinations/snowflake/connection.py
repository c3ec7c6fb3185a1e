"""The way to the account: a session that writes in UTC, made again when it was lost.

The connector waits for the service; so what is done with a session is done in a thread.
"""

from __future__ import annotations

import asyncio
import io
import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from reverse_etl.destinations._sql.interruptible import in_thread
from reverse_etl.destinations.base import TryAgain
from reverse_etl.destinations.snowflake.config import Config
from reverse_etl.destinations.snowflake.failures import ENDED, LOST, Refused, refused_by
from reverse_etl.errors import DestinationRefusedError, SourceUnavailableError, UnauthorizedError
from reverse_etl.sources.snowflake.errors import FAILURES, LoginError
from reverse_etl.sources.snowflake.login import log_in

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_Result = TypeVar("_Result")

_WAITS_S: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Between two questions whether a statement has ended; the last one from then on."""

_FETCHED_ROWS: Final = 10_000

_FACTS: Final = "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_DATABASE(), CURRENT_VERSION()"


class Session:
    """One session, by one thread at a time. Its methods raise ``Refused``.

    Attributes:
        user: Who writes.
        role: With which role.
        warehouse: What runs the statements; empty for none.
        database: As the account spells it.
        version: Snowflake's.
        has_files: Whether the temporary stage was made.
    """

    def __init__(self, connection: SnowflakeConnection, longest_s: float) -> None:
        connection.telemetry_enabled = False
        self._connection = connection
        self._longest_s = longest_s
        self._running: str | None = None
        self._starting = self._interrupted = False
        self.has_files = False
        try:
            facts = self.rows(_FACTS)[0]
        except BaseException:
            self.close()
            raise
        self.user, self.role, self.warehouse, self.database, self.version = (str(each or "") for each in facts)

    def run(self, sql: str) -> None:
        """Runs a statement to its end."""
        self.rows(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, timeout=max(1, round(self._longest_s)))
                return [tuple(row) for row in cursor.fetchall()]
        except FAILURES as error:
            raise refused_by(error) from None

    def portions(self, sql: str) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query, some at a time."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, timeout=max(1, round(self._longest_s)))
                while rows := cursor.fetchmany(_FETCHED_ROWS):
                    yield [tuple(row) for row in rows]
        except FAILURES as error:
            raise refused_by(error) from None

    def listed(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a SHOW command, by column."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                names = [column.name for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except FAILURES as error:
            raise refused_by(error) from None

    def put(self, name: str, content: io.BytesIO, stage: str) -> None:
        """Uploads a file to a stage."""
        sql = f"PUT 'file://{name}' @{stage} AUTO_COMPRESS = FALSE SOURCE_COMPRESSION = NONE OVERWRITE = TRUE"
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, file_stream=content)
        except FAILURES as error:
            raise refused_by(error) from None

    def start(self, sql: str) -> str:
        """Has a statement begin, and gives its query id; ``wait`` comes next, and ends it where an interrupt came."""
        self._starting = True
        try:
            with self._connection.cursor() as cursor:
                cursor.execute_async(sql)
                self._running = str(cursor.sfqid)
                return self._running
        except FAILURES as error:
            raise refused_by(error) from None
        finally:
            self._starting = False

    def wait(self, query: str) -> None:
        """Waits until a statement that was started has ended; raises what made it fail."""
        waits = iter(_WAITS_S)
        if self._interrupted:
            self.interrupt()
        while self.is_running(query):
            time.sleep(next(waits, _WAITS_S[-1]))
        self._running = None

    def is_running(self, query: str) -> bool:
        """Whether a statement has not ended yet; raises what made it fail."""
        try:
            status = self._connection.get_query_status_throw_if_error(query)
        except FAILURES as error:
            refused = refused_by(error)
            # The connector has no number where the question itself has failed: nothing is known then.
            known = getattr(error, "sfqid", None) == query and (getattr(error, "errno", None) or -1) > 0
            raise (Refused(ENDED, "") if refused.lost and known else refused) from None
        except (KeyError, TypeError):
            # The connector looks into an answer that has no data, or a status that it does not know.
            raise Refused(LOST, "") from None
        return bool(self._connection.is_still_running(status))

    def interrupt(self) -> None:
        """Ends what another thread waits for, and the session.

        A statement whose id is not known yet can only be ended by the thread that starts it, with the same session.
        """
        self._interrupted = True
        if self._starting:
            return
        if (query := self._running) is not None:
            with suppress(*FAILURES), self._connection.cursor() as cursor:
                cursor.abort_query(query)
        self.close()

    def close(self) -> None:
        """Ends the session, and what still runs in it."""
        with suppress(*FAILURES):
            self._connection.close(retry=False)


class Link:
    """One session at a time of one account.

    Args:
        config: Where to log in.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._session: Session | None = None
        self._reached = False

    async def connected(self) -> Session | TryAgain:
        """The session; made where there is none.

        Raises:
            UnauthorizedError: The user or its secret are refused.
            DestinationRefusedError: The service cannot be verified, or role, warehouse, database or schema are missing.
            ConfigError: The address needs https.
            UnsetVariableError: A value comes from an environment variable that is not set.
        """
        if self._session is not None:
            return self._session
        name = self._config.label
        self._config.require_encrypted(name)
        try:
            self._session = await asyncio.to_thread(self._connect)
        except SourceUnavailableError as error:
            login = error if isinstance(error, LoginError) else None
            if login is not None and login.passes:
                cause = error.message.removeprefix(f"{name}: ").rstrip(".")
                return TryAgain(cause, away=not self._reached, hint=error.hint or "")
            kind = UnauthorizedError if login is not None and login.credentials else DestinationRefusedError
            hint = error.hint.replace("`schema`", "`stage_schema`") if self._config.stage_schema else error.hint
            raise kind(error.message, hint=hint) from None
        except Refused as refused:
            return TryAgain(f"the session cannot be used ({refused.number:06d})")
        self._reached = True
        return self._session

    async def run(self, work: Callable[[Session], _Result]) -> _Result:
        """Does something with the session in a thread, which an interrupt ends too. Raises ``Refused``."""
        return await in_thread(work, self._session)

    async def drop(self) -> None:
        """Gives the session up, whatever state it is in."""
        session, self._session = self._session, None
        if session is not None:
            await asyncio.to_thread(session.close)

    async def close(self) -> None:
        """Ends the session."""
        await self.drop()

    def _connect(self) -> Session:
        lock_s = max(1, math.ceil(self._config.lock_timeout.total_seconds()))
        settings = {
            "AUTOCOMMIT": True,
            "ERROR_ON_NONDETERMINISTIC_MERGE": True,
            "ERROR_ON_NONDETERMINISTIC_UPDATE": True,
            "LOCK_TIMEOUT": lock_s,
            # A copy of a table's name in lower case is another name.
            "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
            # Rows that a result leaves out would be taken for written.
            "ROWS_PER_RESULTSET": 0,
            "DATE_INPUT_FORMAT": "AUTO",
            "TIMESTAMP_INPUT_FORMAT": "AUTO",
        }
        config = self._config.model_copy(update={"schema_name": self._config.staging})
        connection, _ = log_in(config, self._config.label, settings)
        return Session(connection, self._config.query_timeout.total_seconds())
