"""An HTTP server for tests that takes POSTs and keeps them, as a chat's or any webhook does."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme


@dataclass(slots=True)
class Webhook:
    """A running server.

    Attributes:
        url: Its address, with a path that nobody else knows.
        answers: Status, headers and body of the next answers, first to last; then 200 ``ok``.
        posts: Path, headers (lower-case names) and JSON of each POST.
        raw: The bytes of each POST's body.
    """

    url: str = ""
    answers: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    posts: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    @property
    def bodies(self) -> list[Any]:
        """The JSON of each POST."""
        return [body for _, _, body in self.posts]


@contextmanager
def running_webhook(tls: ssl.SSLContext | None = None) -> Iterator[Webhook]:
    """A server on the loopback address for the length of the block; with TLS where a context is given."""
    webhook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            webhook.raw.append(body)
            webhook.posts.append((self.path, headers, json.loads(body)))
            status, more, text = webhook.answers.pop(0) if webhook.answers else (200, {}, "ok")
            self.send_response(status)
            for name, value in {**more, "content-length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the inherited name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        webhook.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/services/planted-address"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield webhook
        finally:
            server.shutdown()
            thread.join()


def company_tls(tmp_path: Path, host: str = "127.0.0.1") -> ssl.SSLContext:
    """A certificate of a company's authority, which is in ``authority.pem``."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return tls
