"""The way to an HTTPS address: straight, or with ``proxy: environment`` through the environment's proxy.

Then HTTPS_PROXY, ALL_PROXY and NO_PROXY are read, as curl reads them; ``.netrc`` never is. The value of a proxy's
variable may hold a password, so no message has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    import ssl

    from reverse_etl.http.pool import Pool

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
    named, asked = _named(), urlsplit(url)
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


def mounts(proxies: Iterable[tuple[str, Proxy | None]], trusted: ssl.SSLContext) -> dict[str, Pool]:
    """Transports for ``httpx.AsyncClient(mounts=...)``: addresses with a proxy go through it, the others straight."""
    import httpx

    from reverse_etl.http.pool import Pool

    found: dict[str, Pool] = {}
    for url, proxy in proxies:
        if proxy is not None:
            context = trusted if proxy.url.startswith("https:") else None
            through = httpx.Proxy(proxy.url, ssl_context=context)
            found[f"https://{_host(urlsplit(url).netloc)}"] = Pool(trusted, proxy=through)
    return found


def refused_by_proxy(error: BaseException) -> int:
    """The status with which a proxy refused to connect; 0 where the error is another."""
    import httpx

    status = str(error)[:3]
    return int(status) if isinstance(error, httpx.ProxyError) and status.isascii() and status.isdigit() else 0


def unused_proxy(url: str) -> str:
    """A sentence where the environment names a proxy that the files do not ask for; else empty."""
    named = _named()
    variable = next((f"{kind.upper()}_PROXY" for kind in ("https", "all") if named.get(kind)), "")
    wanted = variable and urlsplit(url).scheme == "https"
    return f" {variable} is set and not used: `proxy: environment` uses it." if wanted else ""


def _named() -> dict[str, str]:
    """What the environment names, by kind; a mounted file's line end is no part of it."""
    return {kind: value.rstrip("\r\n") for kind, value in getproxies_environment().items()}


def _host(netloc: str) -> str:
    """Host and port, without a user."""
    return netloc.rpartition("@")[2]
