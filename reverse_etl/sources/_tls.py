"""Which certificate authorities this machine trusts, and who vouches for a server."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

_USUAL_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/opt/homebrew/etc/openssl@3/cert.pem",
)


@cache
def system_authorities() -> str | None:
    """The PEM file of the system's authorities; None where there is none.

    Drivers that bring their own OpenSSL look for it where their builder's system has it, so it is named to them.
    """
    paths = ssl.get_default_verify_paths()
    found = (path for path in (paths.cafile, paths.openssl_cafile, *_USUAL_BUNDLES) if path and Path(path).is_file())
    return next(found, None)


def issuer(plain: socket.socket, host: str, ca_file: Path | None) -> str:
    """Does a TLS handshake on a connected socket, verifying certificate and host name.

    Args:
        plain: A socket whose other side expects a handshake; its time limit applies. It is used up.
        host: The name the certificate must be for.
        ca_file: The authority to trust; the system's when None.

    Returns:
        The name of the authority that issued the certificate.

    Raises:
        ssl.SSLCertVerificationError: The certificate is not by that authority or not for that name.
        OSError: The handshake failed otherwise, or the file cannot be read.
    """
    with _context(ca_file).wrap_socket(plain, server_hostname=host) as secure:
        return _issuer(secure.getpeercert())


def issuer_through(exchange: Callable[[bytes], bytes], host: str, ca_file: Path | None) -> str:
    """Like ``issuer``, for protocols that carry the handshake in messages of their own.

    Args:
        exchange: Sends what it is given and returns what the server answers.
        host: The name the certificate must be for.
        ca_file: The authority to trust; the system's when None.
    """
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = _context(ca_file).wrap_bio(inward, outward, server_hostname=host)
    while True:
        try:
            secure.do_handshake()
        except ssl.SSLWantReadError:
            inward.write(exchange(outward.read()))
        else:
            break
    return _issuer(secure.getpeercert())


def _context(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else system_authorities())


def _issuer(certificate: Any) -> str:
    certificate = certificate or {}
    parts = dict(pair for name in certificate.get("issuer", ()) for pair in name)
    return str(parts.get("commonName") or parts.get("organizationName") or "an authority without a name")
