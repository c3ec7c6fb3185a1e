"""What a MySQL session needs of a driver, and which driver there is.

The drivers are ``asyncmy`` and ``pymysql``. Both are set to convert nothing: a row is a tuple of the
bytes that the server sent, None for NULL.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from reverse_etl.errors import MissingDriverError

if TYPE_CHECKING:
    from reverse_etl.sources.mysql.pile import Pile

Row = tuple[bytes | None, ...]

PREPARE: Final = 0x16
CLOSE_STATEMENT: Final = 0x19
"""Source: dev.mysql.com/doc/dev/mysql-server/latest/my__command_8h.html."""

LOST: Final = 2013
"""The drivers' code for a connection that broke off."""

MALFORMED: Final = 2027
"""MySQL's own clients' code for a packet that is none."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where and as whom to log in.

    Attributes:
        host: A name, an address, or the path of a Unix socket.
        tls: How to encrypt; None for not at all.
        answer_s: How long the server may take to answer a login.
    """

    host: str
    port: int
    user: str
    password: bytes = field(repr=False)
    database: str
    tls: ssl.SSLContext | None
    answer_s: float

    def arguments(self) -> dict[str, Any]:
        """The settings of both drivers."""
        where = {"unix_socket": self.host} if self.host.startswith("/") else {"host": self.host, "port": self.port}
        return {
            **where,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "charset": "utf8mb4",
            "autocommit": None,
            "connect_timeout": self.answer_s,
            "program_name": "reverse-etl",
            "use_unicode": False,
            "conv": {},
        }


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a result. Source: page_protocol_com_query_response_text_resultset_column_definition.html.

    Attributes:
        length: Width in bytes or digits, as the server reports it.
        charset: Number of the character set; 63 for bytes, and for what is neither text nor bytes.
    """

    name: str
    type: int
    flags: int
    charset: int
    length: int


class Refused(Exception):  # noqa: N818 - the server's answer, made an error by ``errors``
    """The server refused, or the driver reports that there is no server any more.

    Attributes:
        code: As in the server's list of errors; 2000 and above below 3000 are the driver's; 0 for none.
        text: The message; it may hold values.
        because: The network's or TLS's error behind it.
    """

    def __init__(self, code: int, text: str, because: BaseException | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.because = because

    @property
    def lost(self) -> bool:
        """Whether the driver reports it, and there is no connection any more."""
        return self.code == 0 or 2000 <= self.code < 3000


class Wire(Protocol):
    """One connection; ``until`` is the last moment, by ``time.monotonic``, at which an answer is of use.

    Everything but ``close`` raises ``Refused``, and ``TimeoutError`` when the moment has passed. After the latter, a
    ``Refused`` that is ``lost`` and an interrupt, the connection is closed.
    """

    def answer(self, sql: str, until: float) -> list[Row]:
        """Runs a statement with a small result, or none."""
        ...

    def describe(self, sql: str, until: float) -> tuple[list[str], int]:
        """Has one statement prepared, which reads no rows; what its columns are called and how many ``?`` it has."""
        ...

    def start(self, sql: str, until: float) -> list[Field]:
        """Runs a query whose rows are read afterwards."""
        ...

    def fill(self, pile: Pile, until: float) -> bool:
        """Puts the next rows of the query onto the pile while it has room; whether the query has more."""
        ...

    def close(self) -> None:
        """Closes the connection, without reading what is left of a result; again and again is no matter."""
        ...


def refused(error: Exception, because: BaseException | None = None) -> Refused:
    """A driver's error: both put code and text into its arguments."""
    code, *rest = error.args or (0,)
    if not isinstance(code, int):
        return Refused(0, str(code), because)
    return Refused(code, str(rest[0]) if rest else "", because)


def fields(descriptors: Sequence[Any]) -> list[Field]:
    """Columns as both drivers describe them."""
    return [Field(one.name, one.type_code, one.flags, one.charsetnr, one.length) for one in descriptors]


def prepared(packet: bytes) -> tuple[int, int, int]:
    """Number, columns and parameters of a prepared statement."""
    statement, columns, parameters = struct.unpack_from("<IHH", packet, 1)
    return statement, columns, parameters


def driver(where: str) -> Callable[[Address], Wire]:
    """Opens connections: with asyncmy, which is several times as fast, unless an event loop runs here already.

    Args:
        where: How messages call the connection.

    Raises:
        MissingDriverError: There is no driver.
    """
    if not _in_event_loop():
        try:
            import asyncmy  # noqa: F401 - only whether it is there
        except ImportError:
            pass
        else:
            from reverse_etl.sources.mysql.asyncmy import AsyncmyWire

            return AsyncmyWire
    try:
        import pymysql  # type: ignore[import-untyped] # noqa: F401
    except ImportError:
        raise MissingDriverError(
            f"{where}: neither driver is installed, asyncmy nor PyMySQL.",
            hint='Run: pip install "reverse-etl[mysql]"',
        ) from None
    from reverse_etl.sources.mysql.pymysql import PymysqlWire

    return PymysqlWire


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
