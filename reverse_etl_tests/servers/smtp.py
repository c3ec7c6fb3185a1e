"""A small SMTP server for tests (RFC 5321, STARTTLS of RFC 3207, AUTH PLAIN of RFC 4954) that keeps what it takes."""

from __future__ import annotations

import base64
import email
import email.policy
import socketserver
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

import trustme

USER, PASSWORD = "alerts", "planted-smtp-password-9c1d"
REFUSED = "nobody@"
"""Recipients that begin so are refused."""


@dataclass(slots=True)
class SmtpServer:
    """A running server for ``localhost``.

    Attributes:
        port: On 127.0.0.1.
        ca_file: The authority of its certificate.
        mails: Sender, recipients and message of each mail.
        logins: Whether each mail's session was encrypted, and who had logged in.
    """

    port: int
    ca_file: Path
    mails: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    logins: list[tuple[bool, str]] = field(default_factory=list)


@contextmanager
def running_smtp(*, tls: str = "starttls") -> Iterator[SmtpServer]:
    """A server; with ``tls``: ``starttls``, ``implicit``, or ``disable`` for none. It wants a login only over TLS."""
    authority = trustme.CA(organization_name="Throw-away authority")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    class Session(socketserver.StreamRequestHandler):
        def setup(self) -> None:
            if tls == "implicit":
                self.request = context.wrap_socket(self.request, server_side=True)
            super().setup()

        def finish(self) -> None:
            super().finish()
            self.request.close()

        def finish_plain(self) -> None:
            """Closes the files of the session in the clear; its socket goes on."""
            super().finish()

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            encrypted, user, sender, recipients = tls == "implicit", "", "", list[str]()
            self.say("220 localhost ESMTP")
            while line := self.rfile.readline().decode().strip():
                verb, _, rest = line.partition(" ")
                if verb.upper() == "EHLO":
                    offers = ["STARTTLS"] if tls == "starttls" and not encrypted else []
                    offers += ["AUTH PLAIN"] if encrypted else []
                    self.say("\r\n".join([f"250-{offer}" for offer in ["localhost", *offers]] + ["250 8BITMIME"]))
                elif verb.upper() == "STARTTLS":
                    self.say("220 go ahead")
                    self.finish_plain()
                    self.request = context.wrap_socket(self.request, server_side=True)
                    super().setup()
                    encrypted = True
                elif verb.upper() == "AUTH":
                    _, given, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                    user = given if (given, password) == (USER, PASSWORD) else ""
                    self.say("235 welcome" if user else f"535 {password} is wrong")
                elif verb.upper() == "MAIL":
                    sender = rest[len("FROM:<") :].split(">")[0]
                    self.say("250 ok" if user or not encrypted else "530 log in first")
                elif verb.upper() == "RCPT":
                    to = rest[len("TO:<") :].split(">")[0]
                    recipients += [] if to.startswith(REFUSED) else [to]
                    self.say(f"550 no {to} here" if to.startswith(REFUSED) else "250 ok")
                elif verb.upper() == "DATA":
                    self.say("354 go ahead")
                    text = b"".join(iter(self.rfile.readline, b".\r\n"))
                    message = email.message_from_bytes(text, _class=EmailMessage, policy=email.policy.default)
                    server.mails.append((sender, recipients, message))
                    server.logins.append((encrypted, user))
                    self.say("250 kept")
                else:
                    self.say("221 bye" if verb.upper() == "QUIT" else "250 ok")

    class Listening(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that does not trust the certificate goes away: nothing to tell."""

    with tempfile.TemporaryDirectory() as folder, Listening(("127.0.0.1", 0), Session) as listening:
        server = SmtpServer(listening.server_address[1], Path(folder) / "ca.pem")
        authority.cert_pem.write_to_path(str(server.ca_file))
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
