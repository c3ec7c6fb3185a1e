"""Logging in to Snowflake: the connector's settings, the private key, and how quiet it is.

Which keys there are is ``snowflake``; what a refusal means is ``errors``.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Final
from urllib.request import getproxies, proxy_bypass

import snowflake.connector
from snowflake.connector.util_text import construct_hostname

from reverse_etl.errors import SourceUnavailableError
from reverse_etl.sources.base import Endpoint
from reverse_etl.sources.snowflake.account import DEFAULT_PORT
from reverse_etl.sources.snowflake.errors import FAILURES, Messages

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

    from reverse_etl.sources.snowflake.account import Account

QUERY_TAG: Final = "reverse-etl"
"""On every query, for readers of the account's history."""

_CONNECT_S: Final = 30
"""From here on no login is tried again; one that is under way may take as long once more, or ``_UNDER_WAY_S``."""

_UNDER_WAY_S: Final = 4
"""Where the limit is short: a machine that is busy must not make "does not answer" of what did answer."""

_ANSWER_S: Final = 60
"""The service answers a request within 45 seconds, if only with "still running"."""

_MOST_S: Final = 604_800
"""Source: docs.snowflake.com/en/sql-reference/parameters, STATEMENT_TIMEOUT_IN_SECONDS."""

_CHUNK_MB: Final = 48
"""The smallest that CLIENT_RESULT_CHUNK_SIZE can be: bounds memory. Source: the same page."""

_CA_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_DRIVER_LOG: Final = "snowflake.connector"


def log_in(
    config: Account, where: str, settings: Mapping[str, Any] | None = None
) -> tuple[SnowflakeConnection, Messages]:
    """Opens a session that reads times in UTC and ends its queries after ``query_timeout``.

    Args:
        config: The account, and who logs in.
        where: How messages call it.
        settings: Parameters of the session besides.

    Raises:
        SourceUnavailableError: Snowflake cannot be reached or verified, or refuses the login.
        UnsetVariableError: A value comes from an environment variable that is not set.
    """
    _quieten()
    parameters = _parameters(config)
    messages = Messages(where, _facts(config, parameters), config.query_timeout)
    parameters |= _secrets(config, messages)
    parameters["session_parameters"] |= settings or {}
    try:
        return _connected(parameters), messages
    except FAILURES as error:
        raise messages.login(error) from None


def _connected(parameters: dict[str, Any]) -> SnowflakeConnection:
    """A connection, in bounded time: the connector waits for as long as anything comes, and tries again.

    Raises:
        TimeoutError: What answers takes too long; one of ``FAILURES``, as all that the connector raises.
    """
    outcome: Future[SnowflakeConnection] = Future()
    Thread(target=_connect, args=(parameters, outcome), name="snowflake-login", daemon=True).start()
    try:
        limit_s = parameters["login_timeout"]
        return outcome.result(limit_s + max(limit_s, _UNDER_WAY_S))
    finally:
        outcome.cancel()


def _connect(parameters: dict[str, Any], outcome: Future[SnowflakeConnection]) -> None:
    try:
        connection = snowflake.connector.connect(**parameters)
    except BaseException as error:
        if outcome.set_running_or_notify_cancel():
            outcome.set_exception(error)
        return
    if outcome.set_running_or_notify_cancel():
        outcome.set_result(connection)
    else:
        connection.close(retry=False)


def endpoint_of(config: Account) -> Endpoint:
    """Where the connector connects to, and through which proxy of the environment."""
    host = _host(config)
    proxy = "" if proxy_bypass(host) else getproxies().get(config.protocol, "")
    ca_file = next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), None)
    return Endpoint(
        host=host,
        port=config.port or DEFAULT_PORT,
        tls="verify-full" if config.protocol == "https" else "disable",
        ca_file=Path(ca_file) if ca_file else None,
        login=_login_text(config),
        proxy=proxy.rpartition("@")[2].rpartition("//")[2].rstrip("/"),
    )


def _parameters(config: Account) -> dict[str, Any]:
    """All but the secrets. Source: docs.snowflake.com/en/developer-guide/python-connector/python-connector-api."""
    longest_s = max(1, math.ceil(min(config.query_timeout.total_seconds(), _MOST_S)))
    parameters: dict[str, Any] = {
        "account": config.account.resolve(),
        "user": config.user.resolve(),
        "host": _host(config),
        "port": config.port or DEFAULT_PORT,
        "protocol": config.protocol,
        # A role that was granted besides would let the session do more than read.
        "secondary_roles": "NONE",
        "validate_default_parameters": True,
        "login_timeout": min(_CONNECT_S, longest_s),
        "network_timeout": longest_s,
        "socket_timeout": min(_ANSWER_S, longest_s),
        "backoff_policy": _backoff,
        "arrow_number_to_decimal": True,
        "client_store_temporary_credential": False,
        "client_request_mfa_token": False,
        "client_session_keep_alive": False,
        "log_imported_packages_in_telemetry": False,
        # It would ask the cloud providers' metadata addresses which cloud this machine is in.
        "platform_detection_timeout_seconds": 0.0,
        "application": "reverse_etl",
        "session_parameters": {
            "ABORT_DETACHED_QUERY": True,
            "CLIENT_RESULT_CHUNK_SIZE": _CHUNK_MB,
            "CLIENT_TELEMETRY_ENABLED": False,
            "GEOGRAPHY_OUTPUT_FORMAT": "GeoJSON",
            "GEOMETRY_OUTPUT_FORMAT": "GeoJSON",
            "JSON_INDENT": 0,
            "MULTI_STATEMENT_COUNT": 1,
            "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "ARROW",
            "QUERY_TAG": QUERY_TAG,
            "STATEMENT_TIMEOUT_IN_SECONDS": longest_s,
            "TIMEZONE": "UTC",
        },
    }
    chosen = {
        "role": config.role,
        "warehouse": config.warehouse,
        "database": config.database,
        "schema": config.schema_name,
    }
    if config.protocol == "https":
        # Since 4.8 the connector asks whether a certificate is revoked only on request. No answer is no refusal.
        parameters["ocsp_fail_open"] = True
    return parameters | {name: text.resolve() for name, text in chosen.items() if text is not None}


def _secrets(config: Account, messages: Messages) -> dict[str, Any]:
    """How the user proves who it is. The connector takes a programmatic access token where a password goes."""
    if config.oauth_token is not None:
        return {"authenticator": "oauth", "token": config.oauth_token.resolve()}
    if config.password is not None:
        return {"password": config.password.resolve()}
    return {"authenticator": "SNOWFLAKE_JWT", "private_key": _private_key(config, messages)}


def _private_key(config: Account, messages: Messages) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    passphrase = config.private_key_passphrase.resolve().encode() if config.private_key_passphrase else None
    if config.private_key is not None:
        key_name = f"the private key in {config.private_key.template}"
        # Some places that keep variables take no line ends.
        pem = config.private_key.resolve().replace("\\n", "\n").encode()
    else:
        file = config.private_key_file or Path()
        key_name = f"private_key_file {file}"
        try:
            pem = file.read_bytes()
        except OSError as error:
            raise SourceUnavailableError(
                f"{messages.where}: {key_name} cannot be read: {error.strerror}.", hint="Check `private_key_file`."
            ) from None
    try:
        key = serialization.load_pem_private_key(pem, passphrase)
    except TypeError:
        raise messages.key_protected(key_name, given=passphrase is not None) from None
    except (ValueError, UnsupportedAlgorithm):
        raise messages.key_unusable(key_name, protected=b"ENCRYPTED" in pem) from None
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise messages.key_unusable(key_name, protected=False)
    # The connector takes the key itself too, but warns where it is ECDSA.
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain)


def _facts(config: Account, parameters: dict[str, Any]) -> dict[str, str]:
    names = ("account", "user", "host", "role", "warehouse", "database", "schema")
    sources = {
        "password": config.password,
        "private_key": config.private_key,
        "private_key_file": config.private_key_file,
        "oauth_token": config.oauth_token,
    }
    key = next(key for key, source in sources.items() if source is not None)
    source = sources[key]
    return {
        **{name: str(parameters.get(name, "(the user's default)")) for name in names},
        "port": str(parameters["port"]),
        "secret": f"the value of {source}" if not isinstance(source, Path) else str(source),
        "method": key,
    }


def _login_text(config: Account) -> str:
    role = f", role {config.role.resolve()}" if config.role else ""
    return f"user {config.user.resolve()}, account {config.account.resolve()}{role}"


def _host(config: Account) -> str:
    if config.host is not None:
        return config.host.resolve()
    host: str = construct_hostname(None, config.account.resolve())
    return host


def _backoff() -> Iterator[int]:
    """Seconds between attempts."""
    yield 1
    while True:
        yield 3


def _quieten() -> None:
    """The connector logs statements, and addresses of results that open without a password.

    A level that is already set is left alone.
    """
    log = logging.getLogger(_DRIVER_LOG)
    if log.level == logging.NOTSET:
        log.setLevel(logging.CRITICAL)
