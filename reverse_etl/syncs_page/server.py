"""The Syncs page beside another program: served from a thread, on the loopback address, until the block ends."""

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
        return socket.create_server((HOST, wanted), backlog=64)
    except OSError as error:
        if port is None:
            return socket.create_server((HOST, 0), backlog=64)
        raise ConfigError(
            f"port {port} cannot be listened on: {error.strerror}.",
            hint="Choose another with --syncs-port, or 0 for any that is free.",
        ) from None


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
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_END_WITHIN_S)
