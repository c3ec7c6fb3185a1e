"""MySQL and MariaDB, through asyncmy where it is installed, else PyMySQL: who is connected to, and how safely.

Queries run in ``session``.
"""

from __future__ import annotations

import importlib.util
import socket
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from reverse_etl.config.connections import ServerConfig

if TYPE_CHECKING:
    from reverse_etl.sources.base import Session

LAST_SYNC_TIME: Final = "FROM_UNIXTIME({{last_sync_time}})"
COLUMNS: Final = (
    "SELECT '' AS s, table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = DATABASE() ORDER BY table_schema, table_name, ordinal_position"
)
KEYS: Final = (
    "SELECT '' AS s, table_name, column_name FROM information_schema.columns "
    "WHERE table_schema = DATABASE() AND column_key = 'PRI'"
)
DRIVER: Final = "asyncmy" if importlib.util.find_spec("asyncmy") else "pymysql"
DEFAULT_PORT: Final = 3306

_SPEAKS_TLS: Final = 0x800
_CAPABILITIES: Final = 0x200 | _SPEAKS_TLS | 0x8000 | 0x80000
"""CLIENT_PROTOCOL_41, CLIENT_SSL, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH."""
_UTF8MB4: Final = 45
_LONGEST_GREETING: Final = 4096
_MOST_BYTES: Final = 1 << 24


class Config(ServerConfig):
    """A MySQL or MariaDB server, or anything that speaks their protocol. A ``host`` with a slash is a Unix socket."""

    type: Literal["mysql"] = Field(default="mysql", description="The engine: MySQL or MariaDB.")
    tinyint1: Literal["integer", "boolean"] = Field(
        default="integer", description="How columns of type TINYINT(1), which BOOL stands for, are read."
    )


@contextmanager
def connect(config: Config, *, name: str) -> Iterator[Session]:
    """Logs in.

    Raises:
        SourceUnavailableError: The server cannot be reached, verified or logged in to.
        UnsetVariableError: A value comes from an environment variable that is not set.
        MissingDriverError: Neither asyncmy nor PyMySQL is installed.
    """
    from reverse_etl.sources.mysql.errors import Messages
    from reverse_etl.sources.mysql.login import address_of, facts
    from reverse_etl.sources.mysql.session import MysqlSession
    from reverse_etl.sources.mysql.wire import driver

    where = f"database {name} (mysql)"
    open_wire = driver(where)
    answer_s = max(1.0, min(10.0, config.query_timeout.total_seconds()))
    address = address_of(config, where, answer_s=answer_s)
    messages = Messages(where, facts(config, rights="SELECT"), config.query_timeout)
    session = MysqlSession(
        open_wire,
        address,
        messages,
        timezone=config.timezone,
        tinyint1_is_boolean=config.tinyint1 == "boolean",
    )
    with closing(session):
        yield session


def ask_for_tls(plain: socket.socket) -> None:
    """Asks a freshly connected server to continue with a TLS handshake.

    Source: dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html, SSL handshake.

    Raises:
        ConnectionError: The server does not speak TLS, or refuses every login.
    """
    length = int.from_bytes(_received(plain, 4)[:3], "little")
    greeting = _received(plain, length) if 0 < length < _LONGEST_GREETING else b"\0"
    version_end = greeting.find(b"\0", 1)
    if greeting[0] != 10 or version_end < 0:
        code = int.from_bytes(greeting[1:3], "little") if greeting[0] == 0xFF else 0
        raise ConnectionError(
            f"the server refuses connections (error {code})" if code else "this is not a MySQL server"
        )
    # After the version: connection id (4), salt (8), filler (1), lower half of the capabilities (2).
    if not int.from_bytes(greeting[version_end + 14 : version_end + 16], "little") & _SPEAKS_TLS:
        raise ConnectionError("the server does not speak TLS")
    plain.sendall(struct.pack("<IIIB23x", 32 | 1 << 24, _CAPABILITIES, _MOST_BYTES, _UTF8MB4))


def _received(plain: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = plain.recv(count - len(data))
        if not part:
            raise ConnectionError("the server closed the connection")
        data += part
    return data
