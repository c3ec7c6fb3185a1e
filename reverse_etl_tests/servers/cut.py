"""A relay that ends a connection at a byte: a moment of a conversation, found again each time.

What happens to the server at that moment (a restart, another writer) happens before the byte is passed on.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

_PIECE: Final = 65_536
CLIENT: Final = 0
SERVER: Final = 1


@dataclass(frozen=True, slots=True)
class Moment:
    """A byte of one connection.

    Attributes:
        after: Bytes that one side has sent before it: from the start, or since ``text``.
        side: ``CLIENT`` or ``SERVER``.
        text: What the client sends first; empty for the start of the connection.
        nth: Which time, from 0.
        act: What happens then; whatever it raises is raised by ``Cut.close``.
        cuts: Whether the connection ends then.
    """

    after: int
    side: int = CLIENT
    text: bytes = b""
    nth: int = 0
    act: Callable[[], object] = field(default=lambda: None)
    cuts: bool = True


@dataclass(slots=True)
class Connection:
    """One connection, and the moment that it is to meet.

    Attributes:
        moment: None for one that is not cut.
        passed: Bytes of the client, and of the server, so far.
        at: Where the moment is among those of its side, once that is known.
    """

    moment: Moment | None
    passed: list[int] = field(default_factory=lambda: [0, 0])
    at: int | None = None
    _seen: int = 0

    def __post_init__(self) -> None:
        """A moment that no text comes before is known from the start."""
        if self.moment is not None and not self.moment.text:
            self.at = self.moment.after

    def look_at(self, piece: bytes) -> None:
        """Looks for the moment's text in what the client sends."""
        moment = self.moment
        if moment is None or not moment.text:
            return
        found = piece.find(moment.text)
        while found >= 0 and self.at is None:
            if self._seen == moment.nth:
                self.at = self.passed[moment.side] + moment.after + (found if moment.side == CLIENT else 0)
            self._seen += 1
            found = piece.find(moment.text, found + 1)


class Cut:
    """A port of this machine that leads to another one.

    Attributes:
        upstream: Where new connections lead to.
        moments: The next connection's, and that of those after it; None for one that is not cut.
        connections: What passed on each.
        reached: The moments that have come.
        port: On 127.0.0.1.
    """

    def __init__(self, upstream: int, *moments: Moment | None) -> None:
        self.upstream = upstream
        self.moments = [*moments]
        self.connections: list[Connection] = []
        self.reached: list[Moment] = []
        self._failures: list[BaseException] = []
        self._acting = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def wait(self) -> None:
        """Until nothing happens any more to the server."""
        with self._acting:
            pass

    def close(self) -> None:
        """Stops for good."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._failures:
            raise self._failures[0]

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.upstream))
                except OSError:
                    near.close()
                    continue
                for end in (near, far):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = Connection(self.moments.pop(0) if self.moments else None)
                self.connections.append(connection)
                threading.Thread(target=self._connect, args=(near, far, connection), daemon=True).start()

    def _connect(self, near: socket.socket, far: socket.socket, connection: Connection) -> None:
        with near, far:
            back = threading.Thread(target=self._pass_on, args=(far, near, SERVER, connection), daemon=True)
            back.start()
            self._pass_on(near, far, CLIENT, connection)
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket, side: int, connection: Connection) -> None:
        moment, passed = connection.moment, connection.passed
        mine = moment is not None and moment.side == side
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                if side == CLIENT:
                    connection.look_at(piece)
                if mine and moment is not None and connection.at is not None:
                    left = connection.at - passed[side]
                    if left <= len(piece):
                        passed[side] += left
                        target.sendall(piece[:left])
                        self._act(moment)
                        if moment.cuts:
                            break
                        mine, piece = False, piece[left:]
                passed[side] += len(piece)
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _act(self, moment: Moment) -> None:
        with self._acting:
            self.reached.append(moment)
            try:
                moment.act()
            except BaseException as error:
                self._failures.append(error)


@contextmanager
def cut(upstream: int, *moments: Moment | None) -> Iterator[Cut]:
    """Opens one; the first connection has the first moment, and so on."""
    relay = Cut(upstream, *moments)
    try:
        yield relay
    finally:
        relay.close()
