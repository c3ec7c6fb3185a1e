"""How to log in to a PostgreSQL server, to read or to write, and why that did not work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from reverse_etl.sources._messages import Problem
from reverse_etl.sources._tls import system_authorities

if TYPE_CHECKING:
    import psycopg

    from reverse_etl.config.connections import ServerAddress

_PORT: Final = 5432
_CONNECT_S: Final = 10

_LOGIN: Final[tuple[tuple[str, str, str], ...]] = (
    ("password authentication failed", "the password of user {user} was refused", "Check {password}."),
    ("no password supplied", "user {user} needs a password", "Set `password: ${{NAME}}` in connections.yaml."),
    ("is not permitted to log in", "user {user} may not log in", 'Ask for: ALTER ROLE "{user}" LOGIN.'),
    (r'role ".*" does not exist', "there is no user {user}", "Check `user`."),
    (r'database ".*" does not exist', "there is no database {database} on the server", "Check `database`."),
    (
        "permission denied for database",
        "user {user} may not use database {database}",
        'Ask for: GRANT CONNECT ON DATABASE "{database}" TO "{user}".',
    ),
    (
        "no pg_hba.conf entry.*no encryption",
        "the server takes no unencrypted connection from here",
        "Leave `tls` at verify-full, or ask for a line in the server's pg_hba.conf.",
    ),
    (
        "no pg_hba.conf entry",
        "the server does not let user {user} connect from this machine",
        "Ask for a line in the server's pg_hba.conf.",
    ),
    (
        "does not match host name",
        "the server's certificate is for another name than {host}",
        "Use the name in the certificate as `host`.",
    ),
    (
        "certificate verify failed",
        "the server's certificate is not by an authority that this machine trusts",
        "Set `ca_file` to the authority's PEM file (cloud providers publish theirs).",
    ),
    (
        "does not support SSL",
        "the server does not speak TLS",
        "Turn TLS on there, or set `tls: disable` when the network is private.",
    ),
    ("root certificate file", "`ca_file` cannot be used", "Check that it is a readable PEM file."),
    ("could not read root certificate", "`ca_file` cannot be used", "Check that it is a readable PEM file."),
    (
        "Connection refused",
        "nothing answers at {host} port {port}",
        "Check `host` and `port`, and that the server runs.",
    ),
    (
        "failed to resolve host|could not translate host name|Name or service not known",
        "there is no host {host}",
        "Check `host`.",
    ),
    (
        "timeout expired|timed out",
        "{host} port {port} does not answer",
        "Check `host`, `port` and the firewalls in between.",
    ),
    (
        "too many clients|remaining connection slots|too many connections",
        "the server has no connection left",
        "Try again later, or ask for a higher limit.",
    ),
    (
        "closed the connection unexpectedly|Connection reset|Broken pipe|SSL SYSCALL error",
        "{host} port {port} closed the connection before the login was over",
        "Check that a PostgreSQL server is at `port`, and what firewalls and proxies in between let through.",
    ),
    ("the database system is", "the server is starting, stopping or recovering", "Try again in a minute."),
)
"""Text in libpq's message, what it means, and what to do."""

_PASSES: Final = re.compile(
    "Connection refused|failed to resolve host|could not translate host name|Name or service not known|timeout expired|"
    "timed out|too many clients|remaining connection slots|too many connections|closed the connection unexpectedly|"
    "Connection reset|Broken pipe|SSL SYSCALL error|the database system is|Network is unreachable|No route to host"
)
"""What may be over in a minute."""

_CREDENTIALS: Final = re.compile(
    'password authentication failed|no password supplied|is not permitted to log in|role ".*" does not exist'
)


def problem_of(error: psycopg.Error, facts: dict[str, str]) -> Problem:
    """Why a login failed, from libpq's message, which holds no secret.

    Args:
        error: What psycopg raised.
        facts: What texts may name, as ``facts`` gives them.
    """
    text = " ".join(str(error).split())
    passes, credentials = _PASSES.search(text) is not None, _CREDENTIALS.search(text) is not None
    for pattern, what, hint in _LOGIN:
        if re.search(pattern, text):
            return Problem(what.format(**facts), hint.format(**facts), passes, credentials)
    hint = "Try with psql from this machine, with the same host, port, database and user."
    return Problem(f"no connection: {text.removeprefix('connection failed: ')}", hint, passes, credentials)


def facts(server: ServerAddress, parameters: dict[str, Any]) -> dict[str, str]:
    """What messages may name: ``host``, ``port``, ``user``, ``database``, and ``password``: where it comes from."""
    return {
        "host": parameters["host"],
        "port": str(parameters["port"]),
        "user": parameters["user"],
        "database": parameters["dbname"],
        "password": f"the value of {server.password.template}" if server.password else "`password` in connections.yaml",
    }


def connection_parameters(server: ServerAddress, *, most_s: float) -> dict[str, Any]:
    """The settings of libpq. Source: postgresql.org/docs/18/libpq-connect.html.

    Args:
        server: Where to connect to, and as whom.
        most_s: The longest that connecting may take, where that is less than ten seconds.

    Raises:
        UnsetVariableError: A value comes from an environment variable that is not set.
    """
    parameters: dict[str, Any] = {
        "host": server.host.resolve(),
        "port": server.address(_PORT)[1],
        "dbname": server.database.resolve(),
        "user": server.user.resolve(),
        "sslmode": server.tls,
        "gssencmode": "disable",
        "connect_timeout": max(2, min(_CONNECT_S, int(most_s))),
        "application_name": "reverse-etl",
        "client_encoding": "UTF8",
        "options": "",
        "keepalives": 1,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    if server.tunnel_port is not None:
        parameters["hostaddr"] = server.address(_PORT)[0]
    if server.password is not None:
        parameters["password"] = server.password.resolve()
    if server.ca_file is not None:
        parameters["sslrootcert"] = str(server.ca_file)
    elif server.tls == "verify-full":
        parameters["sslrootcert"] = system_authorities() or "system"
    return parameters
