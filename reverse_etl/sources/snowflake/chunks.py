"""Fetching a result's parts: one ahead of the one in use, so that memory stays bounded and nothing waits twice."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Final

from reverse_etl.sources.snowflake.errors import FAILURES, Messages

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.result_batch import ArrowResultBatch

_ATTEMPTS: Final = 2
"""How often a part is fetched that comes without all its rows; the connector itself does not count them."""

_UNREADABLE: Final = (OverflowError, IndexError, SystemError)
"""What the connector raises for types that it does not know, and for nanoseconds before 1678 and after 2262."""

_CONVERTER: Final = "[Snowflake Exception]"
"""How the text of an exception begins that the connector raises as plain ``Exception``."""


def tables(
    parts: Sequence[ArrowResultBatch],
    connection: SnowflakeConnection,
    messages: Messages,
    *,
    began: float,
    counts_tenths: bool,
) -> Generator[pa.Table, None, None]:
    """The parts of a result, in order, as Arrow tables; the first may be empty.

    Leaving early fetches at most the part that is on its way.

    Args:
        parts: As the connector's cursor gives them; at least one.
        connection: Fetches them.
        messages: The connection's errors.
        began: When the query was sent, by ``time.monotonic``: ``query_timeout`` counts from here.
        counts_tenths: Whether a column holds date-times in tenths of microseconds, which the connector calls
            microseconds when it cuts nanoseconds off.

    Raises:
        QueryError: The time is over, or the connector cannot read a value.
        SourceUnavailableError: A part cannot be fetched, or comes without all its rows.
    """
    ahead = _Ahead(parts, connection, messages, began=began, cuts=not counts_tenths)
    ahead.start()
    try:
        for _ in parts:
            yield ahead.next()
    finally:
        ahead.stop()


class _Ahead(Thread):
    """Fetches parts. It holds up no reader that leaves: it ends after the part that is on its way."""

    def __init__(
        self,
        parts: Sequence[ArrowResultBatch],
        connection: SnowflakeConnection,
        messages: Messages,
        *,
        began: float,
        cuts: bool,
    ) -> None:
        super().__init__(name="snowflake-result", daemon=True)
        self._parts = parts
        self._connection = connection
        self._messages = messages
        self._began = began
        self._cuts = cuts
        self._wanted = Semaphore(1)
        self._found: SimpleQueue[pa.Table | BaseException] = SimpleQueue()
        self._stopped = False

    def run(self) -> None:
        for part in self._parts:
            self._wanted.acquire()
            if self._stopped:
                return
            try:
                self._found.put(self._whole(part))
            except BaseException as error:
                # Raised where the result is waited for, as executors do; here it would be lost.
                self._found.put(error)
                return

    def next(self) -> pa.Table:
        """The next part, waited for until the query's time is over; the one after it is fetched meanwhile."""
        left_s = self._began + self._messages.longest_s - time.monotonic()
        try:
            found = self._found.get(timeout=max(0.0, left_s))
        except Empty:
            raise self._messages.timed_out() from None
        if isinstance(found, FAILURES):
            raise self._messages.refused(found, began=self._began) from None
        if isinstance(found, BaseException):
            raise self._messages.unreadable() if str(found).startswith(_CONVERTER) else found from None
        self._wanted.release()
        return found

    def stop(self) -> None:
        """Fetches no further part."""
        self._stopped = True
        self._wanted.release()

    def _whole(self, part: ArrowResultBatch) -> pa.Table:
        for _ in range(_ATTEMPTS):
            try:
                table = self._table(part)
            except _UNREADABLE:
                raise self._messages.unreadable() from None
            if part.rowcount <= 0 or table.num_rows == part.rowcount:
                return table
        raise self._messages.incomplete()

    def _table(self, part: ArrowResultBatch) -> pa.Table:
        try:
            return part.to_arrow(connection=self._connection)
        except OverflowError:
            if not self._cuts:
                raise
            # Not always: the connector then takes other counts for microseconds that are none.
            return part.to_arrow(connection=self._connection, force_microsecond_precision=True)
