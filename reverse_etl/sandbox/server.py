"""The sandbox as one server: the parts put together, a port to listen on, and a clean end."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette

from reverse_etl.errors import ConfigError
from reverse_etl.sandbox.app_api import AppApi, RateLimit
from reverse_etl.sandbox.app_customers import AppCustomers
from reverse_etl.sandbox.faults import Faults
from reverse_etl.sandbox.front import Front
from reverse_etl.sandbox.looking import Looking
from reverse_etl.sandbox.page import page_routes
from reverse_etl.sandbox.settings import SandboxSettings
from reverse_etl.sandbox.storage import Saver, load, save
from reverse_etl.sandbox.track import TrackV2
from reverse_etl.sandbox.track_v1 import TrackV1
from reverse_etl.sandbox.validation import Validator
from reverse_etl.sandbox.workspace import Workspace


def create_app(settings: SandboxSettings, *, when_idle: Callable[[], None] | None = None) -> Front:
    """The ASGI application of one workspace.

    ``when_idle`` is called once no request has come for ``settings.idle_exit_s``.
    """
    workspace = Workspace(settings)
    validator = Validator(settings)
    faults = Faults()
    app_api = AppApi(workspace, RateLimit(settings.app_rate_limit))
    routes = [
        *TrackV2(workspace, validator).routes,
        *TrackV1(workspace, validator).routes,
        *AppCustomers(workspace, app_api).routes,
        *app_api.routes,
        *page_routes(),
    ]
    saver = None
    if settings.data_file is not None:
        load(workspace, settings.data_file)
        # Also an empty workspace is the same one when it is started again.
        try:
            save(workspace, settings.data_file)
        except OSError as error:
            raise ConfigError(
                f"{settings.data_file} cannot be written: {error.strerror}.",
                hint="Name a file in a folder that is yours with --data.",
            ) from None
        saver = Saver(workspace, settings.data_file)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(_watch(front, settings.idle_exit_s, when_idle))]
        if saver is not None:
            tasks.append(asyncio.create_task(saver.run()))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if saver is not None:
            saver.save()

    app = Starlette(routes=routes, lifespan=lifespan)
    front = Front(app, settings, faults, when_answered=saver.save if saver and settings.durable else None)
    app.router.routes.extend(Looking(workspace, faults, front.requests).routes)
    return front


def serve(settings: SandboxSettings, *, announce: Callable[[str], None] | None = None) -> bool:
    """Serves until SIGINT or SIGTERM, or until idle for long enough. Returns after the contents are saved.

    Returns whether it was SIGINT: Ctrl-C. ``announce`` is called with the address once requests are accepted.

    Raises:
        ConfigError: The port is in use or is none, or the host is not this machine's own.
    """
    settings.refuse_remote_host()
    listener = _listen(settings.host, settings.port)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{shown}:{listener.getsockname()[1]}"
    server = _Server(
        partial(announce or _silent, url),
        uvicorn.Config(
            create_app(settings, when_idle=lambda: setattr(server, "should_exit", True)),
            http=_closable(_protocol()),
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            timeout_keep_alive=65,
            timeout_graceful_shutdown=3,
            backlog=512,
        ),
    )
    # The contents only grow, and a full collection walks all of them: rare ones keep answers even.
    gc.set_threshold(50_000, 20, 100)
    serving = server.serve(sockets=[listener])
    with listener, closing(serving), asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        # Closed in any case: Ctrl-C may come before it begins, and Python would warn of a coroutine never awaited.
        runner.run(serving)
    return server.interrupted


def _silent(_url: str) -> None:
    """Announces nothing."""


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"port {port} is in use on {host}, or may not be listened on ({error.strerror}).",
            hint="Choose another with --port, or 0 for any free one.",
        ) from None
    except OverflowError:
        listener.close()
        raise ConfigError(f"{port} is not a port: ports are 0 to 65535, 0 for any free one.") from None
    return listener


class _Server(uvicorn.Server):
    interrupted = False

    def __init__(self, when_started: Callable[[], None], config: uvicorn.Config) -> None:
        super().__init__(config)
        self._when_started = when_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does it; from then on requests are accepted, and a signal ends the server in an orderly way."""
        await super().startup(sockets)
        self._when_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does it, without raising the signal again: the process ends in its own time, contents saved."""
        with suppress(KeyboardInterrupt), super().capture_signals():
            yield
            self.interrupted = signal.SIGINT in self._captured_signals
            self._captured_signals.clear()


def _protocol() -> type[Any]:
    if importlib.util.find_spec("httptools"):
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        return HttpToolsProtocol
    from uvicorn.protocols.http.h11_impl import H11Protocol

    return H11Protocol


def _closable(protocol: Any) -> type[Any]:
    """A protocol whose requests carry their connection, so that it can be dropped."""

    def connect(self: Any, *args: Any, **kwargs: Any) -> None:
        protocol.__init__(self, *args, **kwargs)
        self.app_state = {**self.app_state, "connection": self}

    return type("Closable", (protocol,), {"__init__": connect})


async def _watch(front: Front, idle_exit_s: float | None, when_idle: Callable[[], None] | None) -> None:
    while True:
        await asyncio.sleep(0.2)
        idle_s = time.monotonic() - front.last_request_at
        if idle_exit_s is not None and when_idle is not None and not front.in_flight and idle_s >= idle_exit_s:
            when_idle()
            return
