"""A way to a database through an SSH server: a port of this machine that leads to the database's.

asyncssh does the talking, in a thread of its own, so that any driver can use the port as if it were the database.
The SSH server's key must be known beforehand; what goes through the tunnel is still encrypted and verified by the
database's own TLS, against the database's own name.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reverse_etl.errors import MissingDriverError, SourceUnavailableError

if TYPE_CHECKING:
    import asyncssh

    from reverse_etl.config.connections import SshTunnelConfig

LOGIN_S = 15
DEFAULT_KNOWN_HOSTS = Path("~/.ssh/known_hosts")


@contextmanager
def tunnel(config: SshTunnelConfig, *, host: str, port: int, where: str) -> Iterator[int]:
    """A port on 127.0.0.1 that leads to ``host:port`` as the SSH server sees it, while the context lasts.

    Args:
        config: The SSH server and how to log in to it.
        host: The database's host, resolved by the SSH server.
        port: The database's port.
        where: How messages call the connection: ``database shop``.

    Raises:
        SourceUnavailableError: The SSH server cannot be reached, verified or logged in to, or does not reach the
            database.
        UnsetVariableError: A value comes from an environment variable that is not set.
        MissingDriverError: asyncssh is not installed.
    """
    try:
        import asyncssh  # noqa: F401 - only whether it is there
    except ImportError:
        raise MissingDriverError(
            f"{where}: ssh_tunnel needs asyncssh.", hint='Install it: pip install "reverse-etl[ssh]"'
        ) from None
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=f"ssh tunnel of {where}", daemon=True)
    thread.start()
    try:
        connection = asyncio.run_coroutine_threadsafe(_logged_in(config, where), loop).result()
        try:
            forwarding = _forwarded(connection, host, port, f"{where}: the SSH server {config.host.resolve()}")
            yield asyncio.run_coroutine_threadsafe(forwarding, loop).result()
        finally:
            asyncio.run_coroutine_threadsafe(_closed(connection), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _logged_in(config: SshTunnelConfig, connection: str) -> asyncssh.SSHClientConnection:
    import asyncssh

    host, user = config.host.resolve(), config.user.resolve()
    where = f"{connection}: the SSH server {host}:{config.port}"
    known_hosts = (config.known_hosts or DEFAULT_KNOWN_HOSTS).expanduser()
    if not known_hosts.is_file():
        raise SourceUnavailableError(
            f"{where} cannot be verified: there is no file {known_hosts}.",
            hint=f"Add its key: ssh-keyscan -p {config.port} {host}, once compared with the server's own.",
        )
    passphrase = config.key_passphrase.resolve() if config.key_passphrase else None
    try:
        async with asyncio.timeout(LOGIN_S):
            return await asyncssh.connect(
                host,
                config.port,
                username=user,
                client_keys=[asyncssh.read_private_key(config.key_file, passphrase)],
                known_hosts=str(known_hosts),
                config=None,
                agent_path=None,
                keepalive_interval=15,
            )
    except asyncssh.HostKeyNotVerifiable:
        problem = "shows a key that known_hosts does not have"
        hint = f"If it is the right server, add its key to {known_hosts}; otherwise ask its administrator."
    except asyncssh.PermissionDenied:
        problem = f"does not let {user} in with the key {config.key_file.name}"
        hint = "Put the key's public half into the user's authorized_keys there, or name another key_file."
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        problem = f"was not asked: the key {config.key_file.name} cannot be read"
        hint = "Name a private key as ssh-keygen writes it; for a protected one set key_passphrase."
    except FileNotFoundError:
        problem = f"was not asked: there is no key file {config.key_file}"
        hint = "Name the private key in ssh_tunnel: key_file."
    except (OSError, TimeoutError, asyncssh.Error):
        problem = "does not answer"
        hint = "Check ssh_tunnel: host and port, and that this machine may connect to it."
    raise SourceUnavailableError(f"{where} {problem}.", hint=hint)


async def _forwarded(connection: asyncssh.SSHClientConnection, host: str, port: int, where: str) -> int:
    import asyncssh

    # A forwarded port accepts at once, with a server behind it or without: only this shows which.
    try:
        async with asyncio.timeout(LOGIN_S):
            _, writer = await connection.open_connection(host, port)
    except (asyncssh.ChannelOpenError, TimeoutError):
        raise SourceUnavailableError(
            f"{where} does not reach {host} port {port}.",
            hint="Check `host` and `port` as that server sees them, and that it may forward ports.",
        ) from None
    writer.close()
    listener = await connection.forward_local_port("127.0.0.1", 0, host, port)
    return listener.get_port()


async def _closed(connection: asyncssh.SSHClientConnection) -> None:
    connection.close()
    await connection.wait_closed()
