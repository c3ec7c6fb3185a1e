"""One ODBC connection, used by a thread of its own, so that no wait is longer than it may be.

A driver that waits for the network hears neither a clock nor Ctrl-C. So a thread of the wire's own calls it, and
the caller waits here: until the answer, the deadline or an interruption. The latter two cancel the query on the
server, and where even that gets no answer, shut the connection's socket down under the driver.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDoneError
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeVar

from reverse_etl.errors import SourceError

if TYPE_CHECKING:
    import pyodbc

    from reverse_etl.sources.sqlserver.errors import Messages

CANCEL_S: Final = 5.0
"""How long the server may take to acknowledge that a query is canceled."""

LOOK_EVERY_S: Final = 1.0
"""How often, while an answer is waited for, it is looked whether the server has hung up."""

CONNECTING: Final = threading.Lock()
"""Held while a connection is made: what it needs of the process (environment, new sockets) is for one at a time."""

T = TypeVar("T")


class Wire:
    """A connection whose calls have a common deadline. After ``lost``, every call raises it."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._asked: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._until = 0.0
        self._cursor: pyodbc.Cursor | None = None
        self._canceling: threading.Thread | None = None
        self._socket: socket.socket | None = None
        self._driver_socket = (-1, 0)
        self._silent: tuple[socket.socket, socket.socket] | None = None
        self._connection: pyodbc.Connection | None = None
        self._lost = False
        # A daemon: a driver that never comes back must not keep the process from ending.
        self._worker = threading.Thread(target=self._work, name="sqlserver", daemon=True)
        self._worker.start()

    def open(self, make: Callable[[], pyodbc.Connection], port: int, *, seconds: float) -> None:
        """Makes the connection; errors of the driver pass through.

        Args:
            make: Makes it, within the driver's own time limit.
            port: The server's, by which the connection's socket is known.
            seconds: How long that may take.
        """

        def made() -> pyodbc.Connection:
            with CONNECTING:
                before = _sockets(port)
                connection = make()
                new = _sockets(port) - before
                if len(new) == 1:
                    (self._driver_socket,) = new
                    with suppress(OSError):
                        self._socket = socket.socket(fileno=os.dup(self._driver_socket[0]))
                return connection

        self._until = time.monotonic() + seconds
        self._connection = self._done(made)

    def driver(self) -> str:
        """The ODBC driver's name and version, as it gives them."""
        import pyodbc

        connection = self._connection
        if connection is None:
            return "no ODBC driver"
        name, version = (connection.getinfo(what) for what in (pyodbc.SQL_DRIVER_NAME, pyodbc.SQL_DRIVER_VER))
        return f"ODBC driver {name} {version}"

    def start(self) -> None:
        """Starts the clock."""
        if self._lost:
            raise self._messages.lost()
        self._until = time.monotonic() + self._messages.longest_s

    def batch(self, sql: str) -> None:
        """Runs statements that return no rows, each to its end. Errors are those of ``run``."""

        def ended(cursor: pyodbc.Cursor) -> None:
            while cursor.nextset():
                pass

        self.run(partial(ended, self.execute(sql)), sql=sql)

    def execute(self, sql: str) -> pyodbc.Cursor:
        """Runs a batch, whose cursor is good until the next one. Errors are those of ``run``."""
        connection = self._connection
        if connection is None or self._lost:
            raise self._messages.lost()

        def executed(connection: pyodbc.Connection) -> pyodbc.Cursor:
            # Without MARS, a result that was not read to its end would block the next batch.
            self._close_cursor()
            self._cursor = cursor = connection.cursor()
            return cursor.execute(sql)

        return self.run(partial(executed, connection), sql=sql)

    def run(self, work: Callable[[], T], *, sql: str = "") -> T:
        """Has the wire's thread do something with the connection.

        Args:
            work: What is to be done.
            sql: The batch, when it is about to run.

        Raises:
            SourceError: The server refused, was lost or did not answer in time.
        """
        import pyodbc

        try:
            return self._done(work)
        except pyodbc.Error as error:
            refused = self._messages.refused(error, sql=sql)
            self._lost = self._lost or self._messages.is_loss(error)
        except UnicodeDecodeError:
            refused = self._messages.name_not_text()
        raise refused

    def settle(self, sql: str) -> None:
        """Ends what still runs and runs a last batch; gives the connection up where that takes too long."""
        if self._lost:
            return
        self._until = time.monotonic() + CANCEL_S
        try:
            self.run(self._close_cursor)
            self.batch(sql)
        except SourceError:
            self._give_up()

    def close(self) -> None:
        """Closes the connection; what still runs on it is ended by the server."""
        self._asked.put(None)
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._socket = None
        # A driver that comes back while the process ends aborts it.
        self._worker.join(CANCEL_S)

    def _close_cursor(self) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.close()

    def _done(self, work: Callable[[], T]) -> T:
        future: Future[T] = Future()
        self._asked.put((future, work))
        answered = False
        try:
            value = self._result(future)
            answered = True
        except NotDoneError:
            if future.done():
                raise
            if self._lost:
                raise self._messages.lost() from None
            raise self._messages.timed_out() from None
        finally:
            if not answered and not future.done():
                self._stop(future)
        return value

    def _result(self, future: Future[T]) -> T:
        """What the wire's thread answers; meanwhile looks for a server that has hung up.

        FreeTDS overlooks TLS's farewell: it spins for minutes on a stream that has ended.

        Raises:
            NotDoneError: The deadline has come, or, with ``_lost`` set, the server has gone.
        """
        ended = False
        while (left := self._until - time.monotonic()) > LOOK_EVERY_S:
            try:
                return future.result(LOOK_EVERY_S)
            except NotDoneError:
                if future.done():
                    raise
            # Twice in a row: the driver may be about to find the end by itself, behind the last rows.
            before, ended = ended, self._hung_up()
            if before and ended:
                self._give_up()
                self._silence_driver_socket()
                raise NotDoneError
        return future.result(max(0.0, left))

    def _hung_up(self) -> bool:
        """Whether the server has ended the stream and nothing of it is left to read."""
        try:
            return self._socket is not None and not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _stop(self, future: Future[Any]) -> None:
        """Cancels what runs; where nothing comes of it, gives the connection up."""
        cursor = self._cursor
        if cursor is not None and not self._lost:
            import pyodbc

            def cancel() -> None:
                with suppress(pyodbc.Error):
                    cursor.cancel()

            # Between two fetches FreeTDS waits in there for the server's acknowledgement, without a limit.
            until = time.monotonic() + CANCEL_S
            self._canceling = canceling = threading.Thread(target=cancel, name="sqlserver-cancel", daemon=True)
            canceling.start()
            canceling.join(CANCEL_S)
            with suppress(NotDoneError, pyodbc.Error):
                future.exception(max(0.0, until - time.monotonic()))
            if canceling.is_alive():
                self._give_up()
        if not future.done():
            self._give_up()

    def _give_up(self) -> None:
        self._lost = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _silence_driver_socket(self) -> None:
        """Puts a socket on which nothing ever comes in place of the driver's, so that it waits and does not spin."""
        descriptor, inode = self._driver_socket
        with suppress(OSError):
            if os.fstat(descriptor).st_ino == inode:
                self._silent = socket.socketpair()
                os.dup2(self._silent[0].fileno(), descriptor, inheritable=False)

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            future, work = asked
            try:
                value = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(value)
            del asked, future, work
        # Closing frees what a cancel that still runs uses: the process would end in the driver.
        if self._canceling is not None:
            self._canceling.join()
        if self._connection is not None:
            import pyodbc

            with suppress(pyodbc.Error):
                self._connection.close()


def _sockets(port: int) -> set[tuple[int, int]]:
    """This process's sockets that are connected to a port: descriptor and inode. Empty where the system is silent."""
    found = set()
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            for name in os.listdir(folder):  # noqa: PTH208 - the folder of open files lists itself
                with suppress(OSError, ValueError):
                    status = os.fstat(int(name))
                    if stat.S_ISSOCK(status.st_mode) and _peer_port(int(name)) == port:
                        found.add((int(name), status.st_ino))
            break
    return found


def _peer_port(descriptor: int) -> int:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        return int(copy.getpeername()[1]) if copy.family in {socket.AF_INET, socket.AF_INET6} else 0
