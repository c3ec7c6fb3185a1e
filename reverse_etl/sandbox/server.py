"""Stand-ins as one server: an address each, one process, and a clean end."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from reverse_etl.errors import ConfigError
from reverse_etl.sandbox.base import Standin
from reverse_etl.sandbox.front import Front
from reverse_etl.sandbox.settings import ServerSettings
from reverse_etl.sandbox.taken import port_in_use

Urls = Mapping[str, str]


class Fronts:
    """The ASGI application of several stand-ins, told apart by the port that a request came to.

    ``when_idle`` is called once no request has come to any for ``settings.idle_exit_s``.
    """

    def __init__(self, fronts: Mapping[int, Front], idle_exit_s: float | None, when_idle: Callable[[], None]) -> None:
        self._fronts = fronts
        self._idle_exit_s = idle_exit_s
        self._when_idle = when_idle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, or begins and ends the time in which they are served."""
        if scope["type"] == "http":
            await self._fronts[scope["server"][1]](scope, receive, send)
            return
        async with AsyncExitStack() as running:
            await receive()
            for front in self._fronts.values():
                await running.enter_async_context(front.standin.running())
            watching = asyncio.create_task(self._watch())
            await send({"type": "lifespan.startup.complete"})
            await receive()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await send({"type": "lifespan.shutdown.complete"})

    async def _watch(self) -> None:
        while self._idle_exit_s is not None:
            await asyncio.sleep(0.2)
            last_request_at = max(front.last_request_at for front in self._fronts.values())
            in_flight = any(front.in_flight for front in self._fronts.values())
            if not in_flight and time.monotonic() - last_request_at >= self._idle_exit_s:
                self._when_idle()
                return


def serve(
    settings: ServerSettings, standins: Sequence[Standin], *, announce: Callable[[Urls], None] | None = None
) -> bool:
    """Serves until SIGINT or SIGTERM, or until idle for long enough. Returns after the contents are saved.

    Returns whether it was SIGINT: Ctrl-C. ``announce`` is called with the address of each, by its name, once requests
    are accepted.

    Raises:
        ConfigError: A port is in use or is none, or the host is not this machine's own.
    """
    settings.refuse_remote_host()
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    with ExitStack() as held:
        listeners = [
            held.enter_context(_listen(settings.host, _port(settings, standin, place)))
            for place, standin in enumerate(standins)
        ]
        ports = [listener.getsockname()[1] for listener in listeners]
        urls = {standin.NAME: f"http://{shown}:{port}" for standin, port in zip(standins, ports, strict=True)}
        fronts = {port: Front(standin, settings) for standin, port in zip(standins, ports, strict=True)}
        app = Fronts(fronts, settings.idle_exit_s, lambda: setattr(server, "should_exit", True))
        server = _Server(
            partial(announce or _silent, urls),
            uvicorn.Config(
                app,
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
        serving = server.serve(sockets=listeners)
        with closing(serving), asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            # Closed in any case: Ctrl-C may come before it begins, and Python would warn of a coroutine never awaited.
            runner.run(serving)
    return server.interrupted


def _port(settings: ServerSettings, standin: Standin, place: int) -> int:
    """The port of the stand-in at a place."""
    if settings.port is None:
        return standin.PORT
    return settings.port + place if settings.port else 0


def _silent(_urls: Urls) -> None:
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
        raise port_in_use(host, port, error.strerror or "") from None
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

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """As uvicorn does it for a first signal: at a second one it would end before the contents are saved."""
        self._captured_signals.append(sig)
        self.should_exit = True

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
