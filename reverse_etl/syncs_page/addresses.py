"""Where people open the page: on this machine, or at the address of a proxy, there perhaps below a path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reverse_etl.config.connections import insecure
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from starlette.types import Scope

_OWN_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_LIKE: Final = "https://sync.example.com/syncs-page"
_BELOW: ContextVar[str] = ContextVar("below", default="")


@dataclass(frozen=True, slots=True)
class Opened:
    """Where people open the page.

    Attributes:
        url: The address, without a slash at its end; empty where it is this machine's own.
        host: Its name; empty likewise.
        below: The path that all addresses of the page begin with, such as ``/syncs-page``; empty for none.
        encrypted: Whether the way there is.
    """

    url: str = ""
    host: str = ""
    below: str = ""
    encrypted: bool = False

    @classmethod
    def at(cls, url: str) -> Opened:
        """The address that a person gave.

        Raises:
            ConfigError: It is none that can be opened, or one by which the page would cross a network in the clear.
        """
        if wrong := insecure(url, like=_LIKE):
            raise ConfigError(
                f"--public-url {wrong}.", hint="A proxy with TLS in front of the page has such an address."
            )
        parts = urlsplit(url)
        if parts.query or parts.fragment:
            raise ConfigError("--public-url has a ? or a #.", hint=f"Give the address alone, such as {_LIKE}.")
        return cls(url.rstrip("/"), parts.hostname or "", parts.path.rstrip("/"), parts.scheme == "https")

    def answers(self, scope: Scope) -> bool:
        """Whether a request is for this page: by its own name, or by one of this machine."""
        return (host := _host(scope)) in _OWN_NAMES or (bool(host) and host == self.host)

    @contextmanager
    def serving(self, scope: Scope) -> Iterator[Scope]:
        """The request as the application sees it; addresses that are made meanwhile lie below the path."""
        token = _BELOW.set(self.below)
        try:
            yield {**scope, "root_path": self.below}
        finally:
            _BELOW.reset(token)


def own(path: str) -> str:
    """The address of one of our pages, for the request that is answered now; ``path`` begins with a slash."""
    return f"{_BELOW.get()}{path}"


def _host(scope: Scope) -> str:
    """The name in the Host header, without the port; empty where there is none, or several."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    try:
        return (urlsplit(f"//{hosts[0]}").hostname or "") if len(hosts) == 1 else ""
    except ValueError:
        return ""
