"""How to log in to a MySQL or MariaDB server, to read or to write, and why that did not work."""

from __future__ import annotations

import errno
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.errors import SourceUnavailableError
from reverse_etl.sources._messages import Problem
from reverse_etl.sources._tls import system_authorities
from reverse_etl.sources.mysql.wire import LOST, Address

if TYPE_CHECKING:
    from reverse_etl.config.connections import ServerAddress
    from reverse_etl.sources.mysql.wire import Refused

_PORT: Final = 3306

_LOGIN: Final = {
    1040: ("the server has no connection left", "Try again later, or ask for a higher max_connections."),
    1203: ("user {user} has no connection left", "Try again later, or ask for a higher max_user_connections."),
    1226: ("user {user} has used up what the server grants", "Try again later, or ask for higher limits."),
    1044: (
        "user {user} may not use database {database}",
        "Check `database`, or ask for: GRANT {rights} ON `{database}`.* TO '{user}'@'%'.",
    ),
    1045: (
        "user {user} or the password was refused",
        "Check `user` and {password}; a user may also be bound to a host, or to encrypted connections.",
    ),
    1049: ("there is no database {database} on the server", "Check `database`."),
    1053: ("the server is stopping", "Try again in a minute."),
    1129: ("the server blocks this machine after failed logins", "Ask for: FLUSH HOSTS."),
    1130: ("the server refuses connections from this machine", "Ask for a user whose host part covers this machine."),
    1251: ("the server wants a way of logging in that the driver does not know", "Ask for another authentication."),
    2026: (
        "the server does not speak TLS",
        "Turn TLS on there, or set `tls: disable` when the network is private.",
    ),
    2059: ("the server wants a way of logging in that the driver does not know", "Ask for another authentication."),
    3118: ("user {user} is locked", "Ask for: ALTER USER '{user}'@'%' ACCOUNT UNLOCK."),
    3159: ("the server takes no unencrypted connection", "Leave `tls` at verify-full."),
    4151: ("user {user} is locked", "Ask for: ALTER USER '{user}'@'%' ACCOUNT UNLOCK."),
    **dict.fromkeys(
        (1820, 1862), ("the password of user {user} has expired", "Set another, and its value in the environment.")
    ),
}
"""By the server's or the driver's code: what it means, and what to do."""

_PASSES: Final = {1040, 1053, 1203, 1226}
"""What may be over in a minute."""
_CREDENTIALS: Final = {1045, 1698, 1820, 1862, 3118, 4151}


def problem_of(refused: Refused, facts: dict[str, str]) -> Problem:
    """Why a login failed; the server's own text, which is passed on where nothing else is known, holds no secret.

    Args:
        refused: The server's answer, or the driver's.
        facts: What texts may name, as ``facts`` gives them.
    """
    network, code = _network(refused, facts), refused.code
    what, hint = network or _LOGIN.get(code) or (one_line(refused.text), "")
    if code == 1045 and refused.text.endswith("(using password: NO)"):
        what, hint = "user {user} needs a password", "Set `password: ${{NAME}}` in connections.yaml."
    hint = hint or f"The server's error {code}: its administrator knows more."
    passes = code in _PASSES or (network is not None and not isinstance(refused.because, ssl.SSLError))
    return Problem(what.format(**facts), hint.format(**facts), passes, code in _CREDENTIALS)


def facts(server: ServerAddress, *, rights: str) -> dict[str, str]:
    """What messages may name: ``host``, ``port``, ``user``, ``database``, ``rights``, and where the password is from.

    Raises:
        UnsetVariableError: A value comes from an environment variable that is not set.
    """
    return {
        "host": server.host.resolve(),
        "port": str(server.port or _PORT),
        "user": server.user.resolve(),
        "database": server.database.resolve(),
        "rights": rights,
        "password": f"the value of {server.password.template}" if server.password else "`password`",
    }


def address_of(server: ServerAddress, where: str, *, answer_s: float) -> Address:
    """Where and as whom to log in.

    Args:
        server: As it is in connections.yaml.
        where: How messages call it.
        answer_s: How long the server may take to answer.

    Raises:
        SourceUnavailableError: There is no such socket, or ``ca_file`` cannot be used.
        UnsetVariableError: A value comes from an environment variable that is not set.
    """
    host, port = server.address(_PORT)
    if host.startswith("/") and not Path(host).is_socket():
        raise SourceUnavailableError(
            f"{where}: there is no socket {host}.", hint="Check `host`, and that the server runs."
        )
    return Address(
        host=host,
        port=port,
        user=server.user.resolve(),
        password=server.password.resolve().encode() if server.password else b"",
        database=server.database.resolve(),
        tls=None if host.startswith("/") else _tls(server, where),
        answer_s=answer_s,
    )


def place(facts: dict[str, str]) -> str:
    """Where the server is: host and port, or the path of its socket."""
    return facts["host"] if facts["host"].startswith("/") else "{host} port {port}".format(**facts)


def one_line(text: str) -> str:
    """A text of the server as part of a sentence."""
    # Braces would be taken for places of facts.
    return " ".join(text.split()).rstrip(".").replace("{", "(").replace("}", ")")


def _network(refused: Refused, facts: dict[str, str]) -> tuple[str, str] | None:
    """The network's or TLS's own reason, if it is one of them."""
    because = refused.because
    if isinstance(because, ssl.SSLCertVerificationError):
        if "ostname" in because.verify_message or "IP address" in because.verify_message:
            return (
                "the server's certificate is for another name than {host}",
                "Use the name in the certificate as `host`.",
            )
        return (
            "the server's certificate is not by an authority that this machine trusts",
            "Set `ca_file` to the authority's PEM file (cloud providers publish theirs).",
        )
    if isinstance(because, ssl.SSLError):
        return "no encrypted connection can be made", "Check which TLS versions the server takes."
    if isinstance(because, socket.gaierror):
        return "there is no host {host}", "Check `host`."
    if isinstance(because, ConnectionRefusedError):
        return f"nothing answers at {place(facts)}", "Check `host` and `port`, and that the server runs."
    if isinstance(because, TimeoutError) or (refused.code == LOST and "timed out" in refused.text):
        return f"{place(facts)} does not answer", "Check `host`, `port` and the firewalls in between."
    if refused.code == 0 and "sequence" in refused.text:
        return f"what answers at {place(facts)} is not a MySQL server", "Check `host` and `port`."
    # asyncmy finds its own end closed where the other is closed at once.
    hung_up = isinstance(because, ConnectionError) or getattr(because, "errno", 0) == errno.EBADF
    if refused.code == LOST or hung_up:
        return f"{place(facts)} closed the connection", "Check `host` and `port`, and that it is a MySQL server."
    if isinstance(because, OSError):
        reason = (because.strerror or "no reason given").lower()
        return f"{place(facts)} cannot be reached ({reason})", "Check `host`, `port` and the network."
    return None


class _NamedContext(ssl.SSLContext):
    """Checks certificates against one name, whatever address the driver connects to: a tunnel's is this machine's."""

    name: str

    def wrap_bio(self, *buffers: Any, **options: Any) -> ssl.SSLObject:
        return super().wrap_bio(*buffers, **options | {"server_hostname": self.name})

    def wrap_socket(self, *sockets: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*sockets, **options | {"server_hostname": self.name})


def _tls(server: ServerAddress, where: str) -> ssl.SSLContext | None:
    if server.tls == "disable":
        return None
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.name = server.host.resolve()
    if server.tls == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if server.ca_file is not None and not server.ca_file.is_file():
        raise SourceUnavailableError(
            f"{where}: there is no file {server.ca_file}.", hint="Check `ca_file`, a PEM file with the authority."
        )
    authorities = server.ca_file or system_authorities()
    try:
        if authorities is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(authorities)
    except OSError:
        raise SourceUnavailableError(
            f"{where}: `ca_file` cannot be used.", hint="Check that it is a readable PEM file."
        ) from None
    return context
