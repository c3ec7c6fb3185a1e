"""TLS as SQL Server speaks it: asked for by PRELOGIN, its handshake carried inside PRELOGIN packets.

The ODBC drivers do the same on connections of their own; this is how a failed login is explained, and how
``test-connection`` names the authority.
Source: [MS-TDS] sections 2.2.6.5 and 3.2.5.2, read 2026-11.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Final

from reverse_etl.sources._tls import issuer_through

OFF: Final = 0
NOT_SUPPORTED: Final = 2
REQUIRED: Final = 3

_HEADER: Final = struct.Struct(">BBHHBB")
_PRELOGIN: Final = 0x12
_LAST: Final = 0x01
_VERSION: Final = bytes(6)
_PACKET_BYTES: Final = 4_096


def encryption(plain: socket.socket, *, wish: int) -> int:
    """Greets a freshly connected server.

    Args:
        plain: The socket; its time limit applies.
        wish: What this side wants: ``NOT_SUPPORTED`` or 1 (everything encrypted).

    Returns:
        The server's answer.

    Raises:
        ConnectionError: What answers does not speak TDS.
    """
    options = struct.pack(">BHHBHHB", 0, 11, len(_VERSION), 1, 11 + len(_VERSION), 1, 0xFF)
    plain.sendall(_packet(options + _VERSION + bytes([wish])))
    answer = _message(plain)
    for kind, offset, length in struct.iter_unpack(">BHH", answer[: answer.find(b"\xff") // 5 * 5]):
        if kind == 1 and length == 1 and offset < len(answer):
            return int(answer[offset])
    raise ConnectionError("what answers there is not SQL Server")


def verified_issuer(plain: socket.socket, host: str, ca_file: Path | None) -> str:
    """Greets, then does a TLS handshake that verifies certificate and host name; returns who issued the certificate.

    Args:
        plain: A freshly connected socket; its time limit applies. It is used up.
        host: The name that the certificate must be for.
        ca_file: The authority to trust; the system's when None.

    Raises:
        ssl.SSLCertVerificationError: The certificate is not by that authority or not for that name.
        OSError: The server does not speak TLS, or the handshake failed otherwise, or the file cannot be read.
    """
    if encryption(plain, wish=1) == NOT_SUPPORTED:
        raise ConnectionError("the server does not speak TLS")

    def exchange(sent: bytes) -> bytes:
        plain.sendall(b"".join(map(_packet, _pieces(sent))))
        return _message(plain)

    return issuer_through(exchange, host, ca_file)


def _pieces(content: bytes) -> list[bytes]:
    size = _PACKET_BYTES - _HEADER.size
    return [content[start : start + size] for start in range(0, len(content), size)]


def _packet(content: bytes) -> bytes:
    return _HEADER.pack(_PRELOGIN, _LAST, _HEADER.size + len(content), 0, 0, 0) + content


def _message(plain: socket.socket) -> bytes:
    message = b""
    status = 0
    while not status & _LAST:
        _, status, length, *_ = _HEADER.unpack(_exactly(plain, _HEADER.size))
        message += _exactly(plain, max(0, length - _HEADER.size))
    return message


def _exactly(plain: socket.socket, count: int) -> bytes:
    taken = b""
    while len(taken) < count:
        piece = plain.recv(count - len(taken))
        if not piece:
            raise ConnectionError("the server hung up")
        taken += piece
    return taken
