"""How a connection in PostgreSQL's protocol begins and is canceled, for the engines that speak it."""

from __future__ import annotations

import socket
import struct
from typing import Final

_SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
_CANCEL_REQUEST: Final = struct.pack("!ii", 16, 80877102)
"""Source: postgresql.org/docs/current/protocol-message-formats.html, SSLRequest and CancelRequest."""


def ask_for_tls(plain: socket.socket) -> None:
    """Asks a freshly connected server to continue with a TLS handshake.

    Raises:
        ConnectionError: The server does not speak TLS.
    """
    plain.sendall(_SSL_REQUEST)
    if plain.recv(1) != b"S":
        raise ConnectionError("the server does not speak TLS")


def ask_to_cancel(fresh: socket.socket, key: bytes) -> None:
    """Asks a server to end what another connection runs, and waits until it has taken the request.

    Args:
        fresh: A connection on which nothing but a TLS handshake has happened; it is used up.
        key: What the server gave the other connection to be canceled with, 8 bytes.
    """
    fresh.sendall(_CANCEL_REQUEST + key)
    fresh.recv(1)
