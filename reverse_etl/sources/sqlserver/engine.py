"""SQL Server and Azure SQL, through pyodbc with Microsoft's ODBC driver or FreeTDS: who is connected to, how safely.

Queries run in ``session``; drivers are found and configured in ``driver``.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from reverse_etl.config.connections import ServerConfig
from reverse_etl.errors import SourceUnavailableError

if TYPE_CHECKING:
    import pyodbc

    from reverse_etl.sources.base import Session
    from reverse_etl.sources.sqlserver.driver import Driver, Login
    from reverse_etl.sources.sqlserver.errors import Messages
    from reverse_etl.sources.sqlserver.wire import Wire

LAST_SYNC_TIME: Final = "DATEADD(SECOND, {{last_sync_time}}, CAST('1970-01-01' AS DATETIME2))"
COLUMNS: Final = (
    "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS "
    "ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"
)
DRIVER: Final = "pyodbc"
DEFAULT_PORT: Final = 1433
NO_READ_ONLY_SESSIONS: Final = True

_CONNECT_S: Final = 10


class Config(ServerConfig):
    """A SQL Server (2016 or newer), an Azure SQL Database or Managed Instance.

    Attributes:
        authentication: ``password`` of a SQL login, or ``entra_service_principal``: ``user`` is its client id and
            ``password`` its secret.
        application_intent: ``read_only`` lets an availability group's listener pick a readable replica.
        driver: ODBC driver, by its name in odbcinst.ini or the path of its library; found by itself when None.
    """

    type: Literal["sqlserver"] = Field(default="sqlserver", description="The engine.")
    authentication: Literal["password", "entra_service_principal"] = Field(
        default="password", description="password of a SQL login, or secret of an Entra service principal."
    )
    application_intent: Literal["read_only", "read_write"] = Field(
        default="read_only", description="read_only lets an availability group pick a readable replica."
    )
    driver: str | None = Field(default=None, min_length=1, description="ODBC driver; detected when left out.")

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """A password is needed for every login."""
        if not given.get("password"):
            yield "password", "SQL Server needs one to log in: write `password: ${NAME}`"
        if given.get("authentication") == "entra_service_principal" and given.get("tls") == "disable":
            yield "tls", "an Entra login needs encryption: leave this key out"


@contextmanager
def connect(config: Config, *, name: str) -> Iterator[Session]:
    """Logs in.

    Raises:
        SourceUnavailableError: The server cannot be reached, verified or logged in to.
        UnsetVariableError: A value comes from an environment variable that is not set.
        MissingDriverError: pyodbc, or an ODBC driver that fits, is not installed.
        ConfigError: The driver cannot take one of the values.
    """
    from reverse_etl.sources.sqlserver.driver import Login, find

    where = f"database {name} (sqlserver)"
    driver = find(config, where)
    if config.ca_file is not None and not config.ca_file.is_file():
        raise SourceUnavailableError(
            f"{where}: there is no file {config.ca_file}.", hint="Check `ca_file`, a PEM file with the authority."
        )
    from reverse_etl.sources._tls import system_authorities
    from reverse_etl.sources.sqlserver.errors import Messages
    from reverse_etl.sources.sqlserver.session import SqlServerSession
    from reverse_etl.sources.sqlserver.wire import Wire

    login = Login(
        host=config.host.resolve(),
        port=config.port or DEFAULT_PORT,
        database=config.database.resolve(),
        user=config.user.resolve(),
        password=config.password.resolve() if config.password else "",
        authority=str(config.ca_file) if config.ca_file else system_authorities(),
    )
    facts = {
        "host": login.host,
        "port": str(login.port),
        "user": login.user,
        "database": login.database,
        "password": f"the value of {config.password.template}" if config.password else "`password` in connections.yaml",
    }
    messages = Messages(where, facts, config.query_timeout)
    wire = Wire(messages)
    with closing(SqlServerSession(wire, messages, timezone=config.timezone)) as session:
        _open(wire, config, driver, login, messages)
        yield session


def issuer(plain: socket.socket, host: str, ca_file: Path | None) -> str:
    """Does the TLS handshake of a freshly connected socket, verifying certificate and host name.

    Returns:
        The name of the authority that issued the certificate.

    Raises:
        ssl.SSLCertVerificationError: The certificate is not by that authority or not for that name.
        OSError: The server does not speak TLS, or the handshake failed otherwise.
    """
    from reverse_etl.sources.sqlserver.tls import verified_issuer

    return verified_issuer(plain, host, ca_file)


def _open(wire: Wire, config: Config, driver: Driver, login: Login, messages: Messages) -> None:
    """Connects, with what the driver needs on disk while it does."""
    import pyodbc

    from reverse_etl.sources.sqlserver.converters import prepare
    from reverse_etl.sources.sqlserver.driver import connection_string, freetds_conf

    seconds = max(2, min(_CONNECT_S, int(config.query_timeout.total_seconds())))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reverse-etl-sqlserver-")))
        conf = folder / "freetds.conf"
        variables = {}
        if driver.is_freetds:
            conf.write_text(freetds_conf(config, login, messages.where))
            variables = {"FREETDSCONF": str(conf)}
        elif config.tls == "verify-full" and config.ca_file is not None:
            # The folder holds no authority, so that the file's are the only ones.
            variables = {"SSL_CERT_FILE": str(config.ca_file), "SSL_CERT_DIR": str(folder)}
        settings = connection_string(config, driver, login, messages.where)

        def make() -> pyodbc.Connection:
            with _environment(variables):
                connection = pyodbc.connect(settings, autocommit=True, timeout=seconds)
            prepare(connection)
            return connection

        try:
            wire.open(make, login.port, seconds=seconds + 5)
        except pyodbc.Error as error:
            refused = messages.login(error, config)
        else:
            return
    raise refused


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Sets environment variables meanwhile; the caller makes sure that no other thread does."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
