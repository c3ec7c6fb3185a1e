"""E-mail through an SMTP server: one message an alert, plain text, encrypted unless the server is on this machine."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from reverse_etl.config.connections import PathBesideFile, on_this_machine
from reverse_etl.config.environment import EnvText, Secret
from reverse_etl.config.notify import ChannelConfig
from reverse_etl.counted import counted
from reverse_etl.errors import AlertNotSentError

if TYPE_CHECKING:
    from reverse_etl.notify.alert import Alert

TIMEOUT_S: Final = 10.0
"""For each answer of the server."""

_PORTS: Final = {"starttls": 587, "implicit": 465, "disable": 25}


def _addressed(addresses: tuple[EnvText, ...]) -> tuple[EnvText, ...]:
    if not addresses:
        raise ValueError("is empty: name an e-mail address")
    return addresses


class Config(ChannelConfig):
    """An SMTP server and who gets the mail.

    Attributes:
        tls: ``starttls`` and ``implicit`` both check certificate and host name. ``disable`` is for a server on this
            machine only.
        port: None: 587 with ``starttls``, 465 with ``implicit``, 25 without.
    """

    type: Literal["email"] = Field(default="email", description="The kind of channel.")
    host: EnvText = Field(description="The SMTP server; ${NAME} is replaced.")
    port: int | None = Field(default=None, ge=1, le=65_535, description="587, 465 or 25 by tls when left out.")
    tls: Literal["starttls", "implicit", "disable"] = Field(
        default="starttls", description="disable is for a server on this machine only."
    )
    ca_file: PathBesideFile | None = Field(default=None, description="Authority to trust (PEM), relative to this file.")
    user: EnvText | None = Field(default=None, description="Who logs in; ${NAME} is replaced.")
    password: Secret | None = Field(default=None, description="${NAME}: the environment variable that holds it.")
    sender: EnvText = Field(alias="from", description="The sender's address; ${NAME} is replaced.")
    to: Annotated[tuple[EnvText, ...], AfterValidator(_addressed)] = Field(description="Who gets the mail.")

    @classmethod
    def misfits(cls, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """User and password come together, and never in the clear to another machine."""
        if (given.get("user") is None) != (given.get("password") is None):
            yield "password" if given.get("password") is None else "user", "user and password go together"
        host = given.get("host")
        if given.get("tls") == "disable" and isinstance(host, str) and "${" not in host and not _local(host):
            yield "tls", "disable is for a server on this machine only: localhost, 127.0.0.1"


def send(config: Config, alert: Alert) -> str:
    """Sends the alert to everybody in ``to``.

    Returns:
        A warning where the server refused some of them; else empty.

    Raises:
        AlertNotSentError: The server cannot be reached or verified, or refuses.
        UnsetVariableError: A variable is not set.
    """
    message = _message(config, alert)
    try:
        with _connected(config) as server:
            if config.user is not None and config.password is not None:
                server.login(config.user.resolve(), config.password.resolve())
            refused = server.send_message(message)
    except smtplib.SMTPResponseException as error:
        raise AlertNotSentError(f"{config.where}: the SMTP server answered with code {error.smtp_code}.") from None
    except smtplib.SMTPRecipientsRefused as error:
        raise AlertNotSentError(_refused(config, error.recipients)) from None
    except smtplib.SMTPNotSupportedError:
        raise AlertNotSentError(
            f"{config.where}: the SMTP server does not offer what is needed (STARTTLS, or a login).",
            hint="Check tls and port in connections.yaml.",
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise AlertNotSentError(
            f"{config.where}: the SMTP server's certificate was not accepted: {error.verify_message}.",
            hint="Name its authority with ca_file, or the host as its certificate does.",
        ) from None
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        kind = type(error).__name__
        raise AlertNotSentError(f"{config.where}: the SMTP server cannot be reached ({kind}).") from None
    return _refused(config, refused) if refused else ""


def _message(config: Config, alert: Alert) -> EmailMessage:
    message = EmailMessage(policy=SMTP_POLICY)
    try:
        message["From"] = config.sender.resolve()
        message["To"] = ", ".join(address.resolve() for address in config.to)
    except (ValueError, IndexError):
        raise AlertNotSentError(f"{config.where}: from or to is not an e-mail address.") from None
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=config.sender.resolve().rpartition("@")[2].strip("> ") or "localhost")
    message["Auto-Submitted"] = "auto-generated"
    message["Subject"] = " ".join(alert.headline.split())
    message.set_content("\n".join([alert.headline, "", *alert.lines()]) + "\n")
    return message


def _connected(config: Config) -> smtplib.SMTP:
    host, port = config.host.resolve(), config.port or _PORTS[config.tls]
    if config.tls == "disable":
        if not _local(host):
            raise AlertNotSentError(f"{config.where}: tls: disable is for a server on this machine only.")
        return smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    context = ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None)
    if config.tls == "implicit":
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context)
    server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    try:
        server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def _local(host: str) -> bool:
    return on_this_machine(f"smtp://[{host}]" if ":" in host else f"smtp://{host}")


def _refused(config: Config, recipients: Mapping[str, tuple[int, bytes]]) -> str:
    codes = ", ".join(sorted({str(code) for code, _ in recipients.values()}))
    refused = f"{len(recipients)} of {counted(len(config.to), 'recipient')}"
    return f"{config.where}: the SMTP server refused {refused} (code {codes})."
