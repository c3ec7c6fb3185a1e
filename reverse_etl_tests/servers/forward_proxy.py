"""A forward proxy for tests: tunnels by CONNECT to ports of this machine, or refuses to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class ForwardProxy:
    """A running proxy.

    Attributes:
        port: On 127.0.0.1.
        refuses: The status for every CONNECT; 200 lets them through.
        asked: What each CONNECT named, ``HOST:PORT``.
        logins: Each CONNECT's ``Proxy-Authorization``, empty where there is none.
    """

    port: int = 0
    refuses: int = 200
    asked: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """``HOST:PORT``."""
        return f"127.0.0.1:{self.port}"


@contextmanager
def running_proxy() -> Iterator[ForwardProxy]:
    """A proxy on the loopback address for the length of the block; every tunnel leads to 127.0.0.1."""
    proxy = ForwardProxy()

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            proxy.asked.append(self.path)
            proxy.logins.append(self.headers.get("proxy-authorization", ""))
            self.send_response(proxy.refuses, "planted-words")
            self.end_headers()
            self.close_connection = True
            if proxy.refuses == 200:
                with socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2]))) as far:
                    back = threading.Thread(target=_pass_on, args=(far, self.connection))
                    back.start()
                    _pass_on(self.connection, far)
                    back.join()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the inherited name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        proxy.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
