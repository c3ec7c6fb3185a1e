"""The way to an HTTPS address: straight, or as the environment says where ``proxy: environment`` asks for that.

Then HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR are read, as curl reads them; ``.netrc`` never is.
The value of a proxy's variable may hold a password, so no message has it.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

ProxyChoice = Literal["environment"]

PROXY_KEY: Final = (
    "environment: take HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR from the environment. "
    "Left out: no proxy, and these variables are not read."
)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A forward proxy.

    Attributes:
        variable: Where it is named: ``HTTPS_PROXY`` or ``ALL_PROXY``.
        address: ``HOST:PORT``, for messages.
        url: Its address whole, with a password if it has one.
    """

    variable: str
    address: str
    url: str

    def __str__(self) -> str:
        return f"the proxy {self.address} ({self.variable})"

    def __repr__(self) -> str:
        return f"Proxy({self.address})"


def proxy_for(url: str, *, where: str) -> Proxy | None:
    """The environment's proxy for an address; None where it names none, or excepts the address, or it is plain HTTP.

    Args:
        url: The address that is to be reached.
        where: Who asks, for messages.

    Raises:
        ConfigError: The variable names nothing that can be a proxy here.
    """
    named, asked = getproxies_environment(), urlsplit(url)
    kind = next((kind for kind in ("https", "all") if named.get(kind)), None)
    if asked.scheme != "https" or kind is None or proxy_bypass_environment(_host(asked.netloc), named):
        return None
    variable = f"{kind.upper()}_PROXY"
    found = named[kind] if "://" in named[kind] else f"http://{named[kind]}"
    try:
        parts = urlsplit(found)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in ("http", "https") or not parts.hostname or not found.isprintable():
        raise ConfigError(
            f"{where}: the value of {variable} is not the address of an HTTP proxy.",
            hint=f"Example: {variable}=http://proxy.example.com:3128; SOCKS proxies cannot be used.",
        )
    return Proxy(variable, f"{parts.hostname}:{port}", found)


def mounts(proxies: Iterable[tuple[str, Proxy | None]], trusted: ssl.SSLContext) -> dict[str, httpx.AsyncHTTPTransport]:
    """Transports for ``httpx.AsyncClient(mounts=...)``: addresses with a proxy go through it, the others straight."""
    import httpx

    found: dict[str, httpx.AsyncHTTPTransport] = {}
    for url, proxy in proxies:
        if proxy is not None:
            context = trusted if proxy.url.startswith("https:") else None
            through = httpx.Proxy(proxy.url, ssl_context=context)
            unlimited = httpx.Limits(max_connections=None)
            transport = httpx.AsyncHTTPTransport(verify=trusted, trust_env=False, proxy=through, limits=unlimited)
            found[f"https://{_host(urlsplit(url).netloc)}"] = transport
    return found


def refused_by_proxy(error: BaseException) -> int:
    """The status with which a proxy refused to connect; 0 where the error is another."""
    import httpx

    status = str(error)[:3]
    return int(status) if isinstance(error, httpx.ProxyError) and status.isascii() and status.isdigit() else 0


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it; several tries to connect are one group."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            for each in cause.exceptions:
                yield from chain(each)
        cause = cause.__cause__ or cause.__context__


def untrusted(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """The server's certificate that was not trusted; None where the error is another."""
    refused = (each for each in chain(error) if isinstance(each, ssl.SSLCertVerificationError))
    # aiohttp's own kind of it has no reason; the one that led to it has.
    return next((each for each in refused if hasattr(each, "verify_message")), None)


def unused_proxy(url: str) -> str:
    """A sentence where the environment names a proxy that nobody asked to use; else empty."""
    named = getproxies_environment()
    variable = next((f"{kind.upper()}_PROXY" for kind in ("https", "all") if named.get(kind)), "")
    wanted = variable and urlsplit(url).scheme == "https"
    return f" {variable} is set and not used: `proxy: environment` uses it." if wanted else ""


def authorities(ca_file: Path | None, *, environment: bool, where: str) -> ssl.SSLContext:
    """Whom certificates are trusted from: the usual authorities or those of the environment, and ``ca_file`` beside.

    Args:
        ca_file: PEM, or None.
        environment: Whether SSL_CERT_FILE and SSL_CERT_DIR stand in for the usual authorities.
        where: Whose key it is, for messages.

    Raises:
        ConfigError: A file holds no authority.
    """
    import certifi

    file, folder = (os.environ.get(name) or None if environment else None for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    usual = file or (None if folder else certifi.where())
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


def _no_authority(where: str, error: OSError) -> ConfigError:
    why = error.strerror if isinstance(error, FileNotFoundError) else "holds no certificate in PEM form"
    return ConfigError(f"{where}: {why}.", hint="Name the authority's certificate, not a server's key.")


def _host(netloc: str) -> str:
    """Host and port, without a user."""
    return netloc.rpartition("@")[2]
