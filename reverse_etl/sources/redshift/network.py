"""The socket to a Redshift server, encrypted and verified before the driver sees it.

redshift-connector's own TLS knows no authority but the machine's and its bundled ones, and no encryption without
verification.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reverse_etl.errors import SourceUnavailableError
from reverse_etl.sources._tls import system_authorities
from reverse_etl.sources.postgres.start import ask_for_tls, ask_to_cancel

_FILE_FIX: Final = "Check `ca_file`, a readable PEM file with the authority."


@dataclass(frozen=True, slots=True)
class Network:
    """The way to one server.

    Attributes:
        host: What the server is called; under ``verify-full`` what the certificate must be for.
        address: Where to connect to: the host, or this end of a tunnel to it; and the port.
        tls: ``verify-full``, ``require`` or ``disable``.
        ca_file: The authority to trust; the system's when None.
        where: How messages call the connection.
        answer_s: How long the server may take for each step of a new connection.
    """

    host: str
    address: tuple[str, int]
    tls: str
    ca_file: Path | None
    where: str
    answer_s: float

    def open(self) -> socket.socket:
        """A connected socket, after the TLS handshake if there is to be one; its time limit is ``answer_s``.

        Raises:
            SourceUnavailableError: The server cannot be reached or verified.
        """
        context = self._context()
        with self._explained():
            plain = socket.create_connection(self.address, self.answer_s)
            try:
                if context is None:
                    return plain
                ask_for_tls(plain)
                return context.wrap_socket(plain, server_hostname=self.host)
            except BaseException:
                plain.close()
                raise

    def cancel(self, key: bytes) -> None:
        """Has the server end what the connection with this key runs; raises like ``open``, or OSError."""
        with self.open() as fresh:
            ask_to_cancel(fresh, key)

    def _context(self) -> ssl.SSLContext | None:
        if self.tls == "disable":
            return None
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else system_authorities())
        except FileNotFoundError:
            raise self._error(f"there is no file {self.ca_file}", _FILE_FIX) from None
        except OSError:
            raise self._error("`ca_file` cannot be used", _FILE_FIX) from None
        if self.tls == "require":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Says what became of a connection; the order is that of the errors' classes."""
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            if "ostname" in error.verify_message or "IP address" in error.verify_message:
                raise self._error(
                    f"the server's certificate is for another name than {self.host}",
                    "Use the name in the certificate as `host`.",
                ) from None
            raise self._error(
                "the server's certificate is not by an authority that this machine trusts",
                "Set `ca_file` to the authority's PEM file; AWS publishes Redshift's.",
            ) from None
        except socket.gaierror:
            raise self._error(f"there is no host {self.host}", "Check `host`.") from None
        except ConnectionRefusedError:
            raise self._error(
                f"nothing answers at {self._there}",
                "Check `host` and `port`, and that the server runs.",
            ) from None
        except TimeoutError:
            raise self.silent() from None
        except ConnectionError as error:
            raise self._error(
                f"no encrypted connection: {error.strerror or error}"
                if self.tls != "disable"
                else f"{self._there} closed the connection",
                "Check that this is the server's port; private servers without TLS need `tls: disable`.",
            ) from None
        except OSError as error:
            reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
            raise self._error(f"no connection to {self._there}: {reason}", "Check `host`, `port` and `tls`.") from None

    def silent(self) -> SourceUnavailableError:
        """The server is there and sends nothing."""
        return self._error(
            f"{self._there} does not answer",
            "Check `host`, `port`, and that the cluster's security group lets this machine in.",
        )

    @property
    def _there(self) -> str:
        return f"{self.address[0]} port {self.address[1]}"

    def _error(self, what: str, hint: str) -> SourceUnavailableError:
        return SourceUnavailableError(f"{self.where}: {what}.", hint=hint)
