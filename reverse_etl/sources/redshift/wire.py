"""One redshift-connector connection, statement by statement, where no wait is longer than it may be.

The driver is asked for less than it offers. Its own conversion of values rounds decimals of more than 28 digits,
moves dates before 1582, makes the last day of year 9999 of later ones, fails on VARBYTE that is not text, and takes
most of the time. So rows stay as they come on the wire, for ``values`` to read a column at a time.
"""

from __future__ import annotations

import logging
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING, Any, Final

from redshift_connector.config import FC_BINARY, FC_TEXT, ClientProtocolVersion
from redshift_connector.core import Connection
from redshift_connector.error import Error
from scramp import ScramException

from reverse_etl.errors import SourceError
from reverse_etl.sources.redshift.errors import Refusal
from reverse_etl.sources.redshift.values import IN_BINARY

if TYPE_CHECKING:
    from reverse_etl.sources.redshift.errors import Messages
    from reverse_etl.sources.redshift.iam import Login
    from reverse_etl.sources.redshift.network import Network

_SETTLE_S: Final = 5.0
"""How long the server may take to end a transaction."""

_READ_BYTES: Final = 256 * 1024
_BROKEN: Final = (Error, OSError, struct.error, ValueError, LookupError)
"""What the driver raises when messages break off or are none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of one statement.

    Attributes:
        columns: Name and type OID of each.
        rows: DataRow messages without their heads: a count of values, then each one's length and bytes.
    """

    columns: tuple[tuple[str, int], ...]
    rows: list[bytes]


class _Ready:
    """A connected socket in the place of the one that the driver makes and would connect itself."""

    def __init__(self, connected: socket.socket) -> None:
        self._connected = connected

    def connect(self, address: object) -> None:
        """Nothing is left to do."""

    def makefile(self, mode: str) -> Any:
        """The driver's buffer, larger than it would be."""
        return self._connected.makefile(mode, buffering=_READ_BYTES)  # type: ignore[call-overload]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connected, name)


class _Connection(Connection):
    """The driver's connection over a socket of ours, which keeps rows as they come.

    ``_usock`` is where the driver puts its socket, ``redshift_types`` the format in which it asks for each type.
    """

    def __init__(self, connected: socket.socket, login: Login, database: str) -> None:
        self._ready = _Ready(connected)
        self.rows: list[bytes] = []
        super().__init__(
            user=login.user,
            password=login.password,
            database=database,
            host="127.0.0.1",  # never looked up nor connected to
            ssl=False,
            application_name="reverse-etl",
            client_protocol_version=ClientProtocolVersion.BASE_SERVER,
            max_prepared_statements=0,  # nothing to close when a transaction ends
            tcp_keepalive_idle=30,
            tcp_keepalive_interval=10,
            tcp_keepalive_count=3,
        )
        self.autocommit = True  # transactions are begun by hand
        formats: dict[int, tuple[int, Any]] = dict.fromkeys(IN_BINARY, (FC_BINARY, bytes))
        self.redshift_types = defaultdict(lambda: (FC_TEXT, bytes), formats)

    @property
    def _usock(self) -> Any:
        return self._ready

    @_usock.setter
    def _usock(self, unused: socket.socket) -> None:
        unused.close()

    def handle_DATA_ROW(self, data: bytes, cursor: object) -> None:  # noqa: N802, ARG002 - the driver's name
        self.rows.append(data)


class Wire:
    """A connection on which statements run with a common deadline."""

    def __init__(self, connection: _Connection, connected: socket.socket, network: Network, messages: Messages) -> None:
        self._connection = connection
        self._socket = connected
        self._network = network
        self._messages = messages
        self._cursor = connection.cursor()
        self._alarm = Timer(0, _shut, [connected])
        self._began = 0.0
        self._expired = self._running = self._lost = False

    @classmethod
    def open(cls, network: Network, login: Login, database: str, messages: Messages) -> Wire:
        """Connects and logs in.

        Raises:
            SourceUnavailableError: The server cannot be reached, verified or logged in to.
        """
        # At level DEBUG the driver writes rows and messages into the log.
        logging.getLogger("redshift_connector").setLevel(logging.WARNING)
        connected = network.open()
        try:
            try:
                connection = _Connection(connected, login, database)
            except TimeoutError:
                raise network.silent() from None
            except ScramException:
                raise messages.not_redshift() from None
            except _BROKEN as error:
                refusal = _refusal(error)
                raise (messages.login(refusal) if refusal else messages.babble()) from None
            connected.settimeout(None)
            return cls(connection, connected, network, messages)
        except BaseException:
            connected.close()
            raise

    def start(self) -> None:
        """Starts the clock. The server is to stop first, so this side waits a little longer."""
        timeout_s = self._messages.longest_s
        self._began = time.monotonic()
        self._set_alarm(timeout_s + min(5.0, 0.2 + timeout_s / 10))

    def took_s(self) -> float:
        """Seconds since ``start``."""
        return time.monotonic() - self._began

    def run(self, sql: str) -> Answer:
        """Runs one statement to its end.

        Raises:
            Refusal: The server refused it; the connection can be used further.
            SourceError: The connection was lost, or the deadline has passed.
        """
        if self._lost:
            raise self._gone()
        self._running = True
        self._connection.rows = []
        try:
            self._cursor.execute(sql)
        except _BROKEN as error:
            refusal = _refusal(error)
            if refusal is None:
                self._give_up()
                raise self._gone() from None
            self._running = False
            raise refusal from None
        self._running = False
        columns: Sequence[Any] = self._cursor.description or ()
        return Answer(tuple((column[0], int(column[1])) for column in columns), self._connection.rows)

    def settle(self) -> None:
        """Ends what is still running and the transaction; gives the connection up where that takes too long."""
        if self._lost:
            return
        if self._running:
            self._cancel()
            self._give_up()
            return
        self._set_alarm(_SETTLE_S)
        try:
            self.run("ROLLBACK")
        except (Refusal, SourceError):
            self._give_up()
        self._alarm.cancel()

    def close(self) -> None:
        """Closes the connection."""
        if not self._lost:
            self._set_alarm(_SETTLE_S)
            self._give_up()

    def _cancel(self) -> None:
        """Asks the server to stop the statement whose answer is no longer needed."""
        key = self._connection._backend_key_data
        if key is not None:
            with suppress(SourceError, OSError):
                self._network.cancel(key)

    def _give_up(self) -> None:
        self._lost = True
        self._alarm.cancel()
        with suppress(Error, OSError):
            self._connection.close()
        self._socket.close()

    def _gone(self) -> SourceError:
        return self._messages.timed_out() if self._expired else self._messages.lost()

    def _set_alarm(self, seconds: float) -> None:
        self._alarm.cancel()
        self._alarm = Timer(seconds, self._expire)
        self._alarm.daemon = True
        self._alarm.start()

    def _expire(self) -> None:
        self._expired = True
        _shut(self._socket)


def _refusal(error: BaseException) -> Refusal | None:
    """The server's answer, where the driver's error is one."""
    fields = error.args[0] if error.args else None
    return Refusal(fields) if isinstance(error, Error) and isinstance(fields, dict) else None


def _shut(connected: socket.socket) -> None:
    """Wakes a thread that waits on the socket; on a TLS socket too, whose ``shutdown`` is not for other threads."""
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
