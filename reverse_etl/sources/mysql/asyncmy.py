"""A connection through asyncmy, on an event loop of its own that runs only while something is awaited."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from asyncmy.connection import Connection
from asyncmy.cursors import SSCursor
from asyncmy.errors import MySQLError
from asyncmy.protocol import FieldDescriptorPacket

from reverse_etl.sources.mysql.packets import begins_with_16_mb, needed_bytes
from reverse_etl.sources.mysql.pile import Pile
from reverse_etl.sources.mysql.wire import (
    CLOSE_STATEMENT,
    LOST,
    PREPARE,
    Address,
    Field,
    Refused,
    Row,
    fields,
    prepared,
    refused,
)

_Result = TypeVar("_Result")

_SPEAKS_TLS: Final = 0x800
_NO_TLS: Final = 2026
_GOODBYE_S: Final = 1.0


class AsyncmyWire:
    """See ``wire.Wire``."""

    def __init__(self, address: Address) -> None:
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._open = True
        self._busy = True
        self._cursor: Any = None
        self._connection: Any = None
        self._transport: Any = None
        self._run(self._connect(address), time.monotonic() + address.answer_s)
        self._busy = False

    def answer(self, sql: str, until: float) -> list[Row]:
        return self._run(self._answer(sql), until)

    def describe(self, sql: str, until: float) -> tuple[list[str], int]:
        return self._run(self._describe(sql), until)

    def start(self, sql: str, until: float) -> list[Field]:
        self._busy = True
        self._cursor = self._connection.cursor(SSCursor)
        self._run(self._cursor.execute(sql), until)
        return fields(self._connection._result.fields)

    def fill(self, pile: Pile, until: float) -> bool:
        self._busy = self._run(self._fill(pile), until)
        return self._busy

    def close(self) -> None:
        if self._open:
            self._open = False
            try:
                self._loop.run_until_complete(self._leave())
            finally:
                self._runner.close()

    async def _connect(self, address: Address) -> None:
        untyped: Any = Connection
        self._connection = untyped(**address.arguments(), ssl=address.tls)
        try:
            await self._connection.connect()
        except MySQLError:
            # asyncmy asks for TLS without looking whether the server speaks it.
            if address.tls is not None and not getattr(self._connection, "server_capabilities", -1) & _SPEAKS_TLS:
                raise Refused(_NO_TLS, "the server does not speak TLS") from None
            raise
        self._transport = self._connection._transport

    async def _answer(self, sql: str) -> list[Row]:
        cursor = self._connection.cursor()
        await cursor.execute(sql)
        return list(await cursor.fetchall())

    async def _describe(self, sql: str) -> tuple[list[str], int]:
        connection = self._connection
        await connection._execute_command(PREPARE, sql)
        statement, columns, parameters = prepared((await connection.read_packet()).get_all_data())
        await self._definitions(parameters)
        names = await self._definitions(columns)
        await connection._execute_command(CLOSE_STATEMENT, struct.pack("<I", statement))
        return names, parameters

    async def _definitions(self, count: int) -> list[str]:
        names = [(await self._connection.read_packet(FieldDescriptorPacket)).name for _ in range(count)]
        if count and not self._connection._deprecate_eof:
            await self._connection.read_packet()
        return names

    async def _fill(self, pile: Pile) -> bool:
        # All in one go: asyncmy takes in what the server sends whenever the loop runs, wanted or not.
        connection = self._connection
        while pile.room:
            received = connection._proto
            rows, received.pos = pile.add_received(
                received.buffer, received.pos, received.length, number=connection._next_seq_id
            )
            connection._next_seq_id = (connection._next_seq_id + rows) & 0xFF
            if rows:
                continue
            needed = needed_bytes(received.buffer, received.pos, received.length)
            if needed > received.length - received.pos:
                await connection._fill_buffer(needed)
                continue
            if begins_with_16_mb(received.buffer, received.pos):
                # asyncmy takes it for the end.
                packet = await connection.read_packet()
                pile.add([packet.read_row(tuple(connection._result.converters))])
                continue
            # The end, an error, or a row of several packets.
            one = await self._cursor.fetchmany(1)
            if not one:
                return False
            pile.add(one)
        return True

    async def _leave(self) -> None:
        """Says goodbye, unless the server is in the middle of something."""
        if not self._busy:
            try:
                async with asyncio.timeout(_GOODBYE_S):
                    await self._connection.ensure_closed()
            except (MySQLError, OSError):
                pass
        transport = self._transport or getattr(self._connection, "_transport", None)
        if transport is not None:
            # asyncmy only asks TLS to end, which it does not where the server is silent.
            transport.abort()
            self._connection.close()
            await asyncio.sleep(0)

    def _run(self, work: Coroutine[Any, Any, _Result], until: float) -> _Result:
        """Runs until it is done, too late, or interrupted by a signal; only an error of the server keeps it open."""
        if not self._open:
            work.close()
            raise Refused(LOST, "closed")
        task = self._loop.create_task(_limited(work, until))
        try:
            return self._loop.run_until_complete(task)
        except MySQLError as error:
            refusal = refused(error, error.__cause__)
            if refusal.lost or self._transport is None:
                self._give_up()
            raise refusal from None
        except BaseException:
            self._end(task)
            self._give_up()
            raise

    def _end(self, task: asyncio.Task[_Result]) -> None:
        # Where the task was just done when the interrupt came, the loop is still about to stop because of it.
        self._loop.call_soon(self._loop.stop)
        self._loop.run_forever()
        if not task.done():
            task.cancel()
            self._loop.run_until_complete(asyncio.wait([task]))

    def _give_up(self) -> None:
        self._busy = True
        self.close()


async def _limited(work: Coroutine[Any, Any, _Result], until: float) -> _Result:
    async with asyncio.timeout_at(until):
        return await work
