"""The Syncs page on a port of its own: served from a thread until the block ends, whatever else the process does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn

from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HOST: Final = "127.0.0.1"

_END_WITHIN_S: Final = 5
_LOOK_AGAIN_S: Final = 0.02


def listen(port: int | None, *, beside: int) -> socket.socket:
    """A socket that listens on the loopback address; the caller closes it.

    Args:
        port: The one that was asked for, 0 for any that is free; None: the one after ``beside``, or any where another
            program has that.
        beside: The port of Dagster's page.

    Raises:
        ConfigError: The port that was asked for is in use.
    """
    wanted = port if port is not None else min(beside + 1, 65_535)
    try:
        return _listener(HOST, wanted)
    except OSError as error:
        if port is None:
            return _listener(HOST, 0)
        raise ConfigError(
            f"port {port} cannot be listened on: {error.strerror}.",
            hint="Choose another with --syncs-port, or 0 for any that is free.",
        ) from None


def listen_at(host: str, port: int) -> socket.socket:
    """A socket that listens there; the caller closes it. Raises ConfigError where it cannot."""
    try:
        return _listener(host, port)
    except OSError as error:
        raise ConfigError(
            f"nothing can listen on {host}:{port}: {error.strerror}.",
            hint="Name another port with --listen, or end the program that has this one.",
        ) from None


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), port), family=family, backlog=64)


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[str]:
    """Serves until the block ends, and yields the address; closes the socket."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="syncs page")
    with closing(listener):
        thread.start()
        while thread.is_alive() and not server.started:
            time.sleep(_LOOK_AGAIN_S)
        try:
            host, bound = listener.getsockname()[:2]
            yield f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
        finally:
            server.should_exit = True
            thread.join(_END_WITHIN_S)
