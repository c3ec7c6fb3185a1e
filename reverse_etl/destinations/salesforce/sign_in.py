"""A token for the org: by client credentials, by a refresh token, or by a signed assertion.

Source: Salesforce help, OAuth flows for access by the REST API, 2026.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from reverse_etl.destinations._http.reply import Reply, try_again
from reverse_etl.destinations.base import TryAgain
from reverse_etl.errors import ConfigError, DestinationRefusedError, UnauthorizedError

if TYPE_CHECKING:
    from reverse_etl.destinations.salesforce.config import Config

PATH: Final = "/services/oauth2/token"
HEADERS: Final = {"content-type": "application/x-www-form-urlencoded"}
_VALID_S: Final = 180
_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def request(config: Config) -> bytes:
    """The form that asks for a token. Raises UnsetVariableError, UnauthorizedError, ConfigError."""
    client_id = config.credential(config.client_id)
    if config.private_key is not None or config.private_key_file is not None:
        return urlencode({"grant_type": _JWT_BEARER, "assertion": _assertion(config, client_id)}).encode()
    form = {"grant_type": "client_credentials", "client_id": client_id}
    if config.client_secret is not None:
        form["client_secret"] = config.credential(config.client_secret)
    if config.refresh_token is not None:
        form |= {"grant_type": "refresh_token", "refresh_token": config.credential(config.refresh_token)}
    return urlencode(form).encode()


def token_of(reply: Reply, label: str) -> tuple[str, str] | TryAgain:
    """Token and instance from the answer.

    Raises:
        UnauthorizedError: The app, its secret or the user are refused.
        DestinationRefusedError: The address is not one of Salesforce's sign-in.
    """
    read = reply.json
    if reply.status == 200 and isinstance(read, dict):
        token, instance = read.get("access_token"), read.get("instance_url")
        if isinstance(token, str) and isinstance(instance, str):
            return token, instance.rstrip("/")
        return TryAgain("HTTP 200 without a token")
    if reply.passes or reply.status == 200:
        return try_again(reply)
    error = read.get("error") if isinstance(read, dict) else None
    if reply.status in (400, 401, 403) and isinstance(error, str):
        raise UnauthorizedError(
            f"{label}: Salesforce refused to sign the app in ({error}).",
            hint="Check the variables behind client_id and client_secret (or private_key and user) in "
            "connections.yaml, and that the app allows this flow and has a user to run as.",
        )
    raise DestinationRefusedError(
        f"{label}: the sign-in answered HTTP {reply.status}.",
        hint="Check url in connections.yaml: it must be the org's My Domain, such as https://acme.my.salesforce.com.",
    )


def _assertion(config: Config, client_id: str) -> str:
    import jwt

    key = _private_key(config)
    claims = {
        "iss": client_id,
        "sub": config.user.resolve() if config.user is not None else "",
        "aud": config.audience,
        "exp": int(time.time()) + _VALID_S,
    }
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (ValueError, TypeError, jwt.InvalidKeyError):
        raise ConfigError(
            f"{config.label}: the private key cannot be read.",
            hint="It must be an RSA key as PEM text, without a passphrase: -----BEGIN PRIVATE KEY-----",
        ) from None


def _private_key(config: Config) -> str:
    if config.private_key_file is None:
        return config.private_key.resolve() if config.private_key is not None else ""
    try:
        return config.private_key_file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"{config.label}: {config.private_key_file.name} cannot be read: {reason}.") from None
