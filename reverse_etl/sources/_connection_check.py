"""``test-connection`` for databases: one step after the other, up to the first that fails."""

from __future__ import annotations

import importlib
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import TYPE_CHECKING, Final, cast

from reverse_etl.config.changes import DEFAULT_LATE
from reverse_etl.config.connections import DatabaseConfig, FileConfig, ServerConfig
from reverse_etl.config.intervals import format_interval
from reverse_etl.errors import SourceError
from reverse_etl.report import Step
from reverse_etl.sources import engine as engine_of
from reverse_etl.sources._tls import issuer
from reverse_etl.sources.base import (
    AsksForTls,
    Endpoint,
    HasEndpoint,
    HasItsOwnHandshake,
    HasNoReadOnlySessions,
    Start,
    start_of,
)

if TYPE_CHECKING:
    from reverse_etl.sources.base import Engine, Server, Session

ANSWER_S: Final = 10.0
"""How long the network may take to answer a step."""

CLOCK_DIFFERENCE_S: Final = 60.0
"""From here on, a difference between the two clocks is worth a hint."""


def steps(config: DatabaseConfig, *, name: str | None = None) -> Iterator[Step]:
    """Connects step by step; each step is tried when it is asked for.

    Args:
        config: The connection, as the ``Config`` of its engine.
        name: How messages call the connection; its own name when None.

    Yields:
        Steps that worked and, if one did not, that one with its fix as the last.

    Raises:
        ConfigError: An environment variable is not set, or the driver is not installed.
    """
    name = name or config.name
    engine = engine_of(config.type)
    if not isinstance(config, ServerConfig) or config.ssh_tunnel is None:
        yield from _to_the_database(config, engine, name)
        return
    from reverse_etl.sources._ssh import tunnel

    ssh, host, port = config.ssh_tunnel, config.host.resolve(), config.port or cast("Server", engine).DEFAULT_PORT
    try:
        with tunnel(ssh, host=host, port=port, where=f"database {name}") as local_port:
            through = f"{ssh.host.resolve()} port {ssh.port}, whose key is known, reaches {host} port {port}"
            yield Step("SSH tunnel", True, f"{through}; logged in as {ssh.user.resolve()}")
            yield from _to_the_database(config.model_copy(update={"tunnel_port": local_port}), engine, name)
    except SourceError as error:
        yield Step("SSH tunnel", False, error.message, error.hint)


def _to_the_database(config: DatabaseConfig, engine: Engine, name: str) -> Iterator[Step]:
    if isinstance(config, FileConfig):
        yield _file(config)
        if not config.path.is_file():
            return
    endpoint = _endpoint(config, engine)
    if endpoint is not None:
        for step in network(endpoint, engine):
            yield step
            if not step.ok:
                return
    try:
        with engine.connect(config, name=name) as session:
            yield from _session(endpoint, engine, session, config.late)
    except SourceError as error:
        yield Step("log in" if endpoint is not None else "open", False, error.message, error.hint)


def _file(config: FileConfig) -> Step:
    if not config.path.is_file():
        return Step("file", False, f"There is no file {config.path}.", config.look_at_path)
    return Step("file", True, f"{config.path}, {config.path.stat().st_size:,} bytes")


def _endpoint(config: DatabaseConfig, engine: Engine) -> Endpoint | None:
    """Where the driver connects to; None for a database in this process."""
    if isinstance(engine, HasEndpoint):
        return engine.endpoint(config)
    if not isinstance(config, ServerConfig):
        return None
    return Endpoint(
        host=config.host.resolve(),
        port=config.port or cast("Server", engine).DEFAULT_PORT,
        tls=config.tls,
        ca_file=config.ca_file,
        login=f"user {config.user.resolve()}, database {config.database.resolve()}",
        tunnel_port=config.tunnel_port,
    )


def network(endpoint: Endpoint, engine: object) -> Iterator[Step]:
    """Address, port and TLS, up to the first that fails.

    Args:
        endpoint: Where the driver is going to connect to.
        engine: Whose protocol is spoken there; None for HTTP, which begins with TLS.
    """
    host, port = endpoint.host, endpoint.port
    if endpoint.proxy:
        yield Step("address", True, f"{host}, through the proxy {endpoint.proxy}")
        return
    if endpoint.tunnel_port is not None:
        with socket.create_connection(("127.0.0.1", endpoint.tunnel_port), ANSWER_S) as plain:
            yield _encryption(endpoint, engine, plain)
        return
    if host.startswith("/"):
        yield Step("address", True, f"Unix socket in {host}")
        return
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        yield Step("address", False, f"There is no host {host}.", "Check `host`.")
        return
    yield Step("address", True, f"{host} is {', '.join(sorted({str(entry[4][0]) for entry in found}))}")
    began = time.monotonic()
    try:
        plain = socket.create_connection((host, port), ANSWER_S)
    except OSError as error:
        what = "refuses connections" if isinstance(error, ConnectionRefusedError) else "does not answer"
        yield Step("port", False, f"{host} port {port} {what}.", "Check `port`, the server and the firewalls between.")
        return
    with plain:
        yield Step("port", True, f"{port} open in {(time.monotonic() - began) * 1000:.0f} ms")
        yield _encryption(endpoint, engine, plain)


def _encryption(endpoint: Endpoint, engine: object, plain: socket.socket) -> Step:
    host = endpoint.host
    if endpoint.tls == "disable":
        return Step("TLS", True, "not encrypted (tls: disable)", "Use verify-full wherever the network is shared.")
    if endpoint.tls == "require":
        return Step(
            "TLS", True, "encryption required, the server not verified (tls: require)", "verify-full also verifies it."
        )
    try:
        if isinstance(engine, AsksForTls):
            engine.ask_for_tls(plain)
        ask = engine.issuer if isinstance(engine, HasItsOwnHandshake) else issuer
        by = ask(plain, host, endpoint.ca_file)
    except ssl.SSLCertVerificationError as error:
        hint = "Set `ca_file` to the authority's PEM file."
        if "ostname" in error.verify_message or "IP address" in error.verify_message:
            hint = "Use the name in the certificate as `host`."
        return Step("TLS", False, f"The server's certificate is refused: {error.verify_message.rstrip('.')}.", hint)
    except ConnectionError as error:
        hint = "Turn TLS on there, or set `tls: disable` when the network is private."
        return Step("TLS", False, f"No encrypted connection: {error.strerror or error}.", hint)
    except OSError as error:
        hint = "Check `ca_file`, a PEM file with the authority, and the TLS versions that the server takes."
        return Step("TLS", False, f"No encrypted connection: {error.strerror or error}.", hint)
    return Step("TLS", True, f"the certificate for {host} is by {by}")


def _session(endpoint: Endpoint | None, engine: Engine, session: Session, late: timedelta | None) -> Iterator[Step]:
    if endpoint is not None:
        yield Step("log in", True, endpoint.login)
    else:
        yield Step("open", True, "opened for reading")
    yield Step("server", True, session.server())
    yield _refuses_writes(session, engine)
    if endpoint is not None:
        found = start_of(session)
        difference_s = (found.clock - datetime.now(UTC)).total_seconds()
        hint = "Set the clocks of both machines." if abs(difference_s) >= CLOCK_DIFFERENCE_S else ""
        yield Step("clock", True, f"{difference_s:+.1f} s from this machine's", hint)
        yield _open_transactions(found, late)
    try:
        rows = sum(batch.num_rows for batch in session.stream("SELECT 1 AS one"))
    except SourceError as error:
        yield Step("query", False, error.message, error.hint)
        return
    yield Step("query", rows == 1, f"SELECT 1 returned {rows} row")
    below = f", {session.driver()}" if hasattr(session, "driver") else ""
    yield Step("driver", True, f"{engine.DRIVER} {_version(engine.DRIVER)}{below}")


def _open_transactions(found: Start, late: timedelta | None) -> Step:
    """Whether runs know how far back rows may still become visible, and what follows where they do not."""
    if late == timedelta():
        return Step("open transactions", True, "not used: `late: 0s` reads from the last sync time itself")
    if found.reaches_to is not None:
        return Step("open transactions", True, "seen: runs read from the start of the oldest one")
    instead = f"runs read again from {format_interval(late or DEFAULT_LATE)} (`late`) before the last sync time"
    hint = f"{found.missing[:1].upper()}{found.missing[1:]}" if found.missing else ""
    return Step("open transactions", True, f"not seen: {instead}", hint)


def _refuses_writes(session: Session, engine: Engine) -> Step:
    if session.read_only():
        return Step("read-only", True, "the session refuses writes")
    if isinstance(engine, HasNoReadOnlySessions):
        found = "there are no read-only sessions here: what `user` may do decides"
        return Step("read-only", True, found, "Make sure that `user` may only read; the documentation has the grants.")
    return Step("read-only", False, "The session would allow writes.", "Set `user` to one who can only read.")


def _version(package: str) -> str:
    """An installed package's version, or that of a module of the standard library."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return str(importlib.import_module(package).sqlite_version)
