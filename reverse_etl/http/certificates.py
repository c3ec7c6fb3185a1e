"""Whom certificates are trusted from, and which one was not."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from reverse_etl.errors import ConfigError
from reverse_etl.settings import value_of

_Version = tuple[int, int] | None
"""When a file was changed, and its size; None where there is none."""


def authorities(ca_file: Path | None, *, environment: bool, where: str) -> ssl.SSLContext:
    """Whom certificates are trusted from: the usual authorities or those of the environment, and ``ca_file`` beside.

    Each file is read once, and again when it has changed: reading the usual authorities takes 20 ms.

    Args:
        ca_file: PEM, or None.
        environment: Whether SSL_CERT_FILE and SSL_CERT_DIR stand in for the usual authorities.
        where: Whose key it is, for messages.

    Raises:
        ConfigError: A file holds no authority.
    """
    import certifi

    file, folder = (value_of(name) or None if environment else None for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    usual = file or (None if folder else certifi.where())
    return _trusted(usual, folder, ca_file, where, tuple(map(_version, (usual, folder, ca_file))))


@lru_cache(maxsize=16)
def _trusted(
    usual: str | None,
    folder: str | None,
    ca_file: Path | None,
    where: str,
    versions: tuple[_Version, ...],  # noqa: ARG001 - another one is another call
) -> ssl.SSLContext:
    try:
        trusted = ssl.create_default_context(cafile=usual, capath=folder)
    except (OSError, ssl.SSLError) as error:
        raise _no_authority(f"{where}: SSL_CERT_FILE: {usual}", error) from None
    if ca_file is not None:
        try:
            trusted.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise _no_authority(f"{where}: ca_file: {ca_file}", error) from None
    return trusted


def _version(path: str | Path | None) -> _Version:
    try:
        found = Path(path).stat() if path is not None else None
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size) if found else None


def _no_authority(where: str, error: OSError) -> ConfigError:
    why = error.strerror if isinstance(error, FileNotFoundError) else "holds no certificate in PEM form"
    return ConfigError(f"{where}: {why}.", hint="Name the authority's certificate, not a server's key.")


def untrusted(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """The server's certificate that was not trusted; None where the error is another."""
    refused = (each for each in chain(error) if isinstance(each, ssl.SSLCertVerificationError))
    # aiohttp's own kind of it has no reason; the one that led to it has.
    return next((each for each in refused if hasattr(each, "verify_message")), None)


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it; several tries to connect are one group."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            for each in cause.exceptions:
                yield from chain(each)
        cause = cause.__cause__ or cause.__context__
