"""One TDS connection of the counterpart: packets, messages, and TLS whose handshake travels inside packets.

What the messages say is ``_tds_tokens`` and ``tds``. Source: [MS-TDS] sections 2.2.3 and 2.2.6.5, read 2026-11.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field

HEADER = struct.Struct(">BBHHBB")
PRELOGIN = 0x12
ANSWER = 0x04
END = 0x01


@dataclass(slots=True)
class Channel:
    """Reads and writes messages. One thread reads while another writes.

    Attributes:
        socket: The connected socket.
        flowing: While it is not set, nothing is sent.
        packet_bytes: The size that the client asked for.
    """

    socket: socket.socket
    flowing: threading.Event
    packet_bytes: int = 4096
    _tls: ssl.SSLObject | None = None
    _inward: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    _outward: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _received: bytearray = field(default_factory=bytearray)
    _pending: bytearray = field(default_factory=bytearray)

    def read(self) -> tuple[int, bytes]:
        """The next message: its type and its packets' contents, joined."""
        message = bytearray()
        while True:
            kind, status, length, *_ = HEADER.unpack(self._take(HEADER.size))
            message += self._take(length - HEADER.size)
            if status & END:
                return kind, bytes(message)

    def write(self, content: bytes, *, last: bool = False, kind: int = ANSWER) -> None:
        """Adds to the message being answered; full packets go out at once, the rest with the last piece."""
        self._pending += content
        size = self.packet_bytes - HEADER.size
        packets = bytearray()
        start = 0
        while len(self._pending) - start > size:
            packets += HEADER.pack(kind, 0, self.packet_bytes, 0, 1, 0) + self._pending[start : start + size]
            start += size
        del self._pending[:start]
        if last:
            packets += HEADER.pack(kind, END, HEADER.size + len(self._pending), 0, 1, 0) + self._pending
            self._pending.clear()
        if packets:
            self._send(bytes(packets))

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Handshakes inside PRELOGIN packets; everything after them is TLS."""
        tls = context.wrap_bio(self._inward, self._outward, server_side=True)
        shaken = False
        while not shaken:
            try:
                tls.do_handshake()
                shaken = True
            except ssl.SSLWantReadError:
                pass
            if answer := self._outward.read():
                self.write(answer, last=True, kind=PRELOGIN)
            if not shaken:
                self._inward.write(self.read()[1])
        self._tls = tls

    def stop_tls(self) -> None:
        """Goes on in the clear: the client wanted only its login encrypted."""
        self._tls = None

    def close(self) -> None:
        """Says TLS's farewell, where there is TLS, and sends nothing more."""
        if self._tls is not None:
            with self._lock, suppress(ssl.SSLError):
                self._tls.unwrap()
            self.socket.sendall(self._outward.read())
        self.socket.shutdown(socket.SHUT_WR)

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            raw = self.socket.recv(262_144)
            if not raw:
                raise ConnectionError("the client hung up")
            self._received += raw if self._tls is None else self._decrypted(self._tls, raw)
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def _decrypted(self, tls: ssl.SSLObject, raw: bytes) -> bytes:
        plain = bytearray()
        with self._lock:
            self._inward.write(raw)
            try:
                while piece := tls.read(65_536):
                    plain += piece
            except ssl.SSLWantReadError:
                pass
        return bytes(plain)

    def _send(self, raw: bytes) -> None:
        self.flowing.wait()
        if self._tls is not None:
            with self._lock:
                self._tls.write(raw)
                raw = self._outward.read()
        self.socket.sendall(raw)
