"""Sign-in: three ways to a token, and who it is of.

Documented: client credentials, a signed assertion (JWT bearer, RS256; ``iss``, ``sub``, ``aud``, ``exp``), a refresh
token; the answer names the instance to call and the identity's address.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.responses import Response

from reverse_etl.errors import ConfigError
from reverse_etl.sandbox.base import json_answer
from reverse_etl.sandbox.salesforce.org import USER_ID, Org

_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class SignIn:
    """The tokens of one app."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.clear()

    def clear(self) -> None:
        """Ends all sessions."""
        self._until: dict[str, float] = {}
        self.count = 0

    def is_valid(self, token: str) -> bool:
        """Whether a token is taken now."""
        return self._until.get(token, 0.0) > self._org.now_s()

    def revoke(self, token: str) -> None:
        """Ends one session."""
        self._until.pop(token, None)

    def token(self, body: bytes, address: str) -> Response:
        """The answer to a request for a token."""
        try:
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        except UnicodeDecodeError:
            form = {}
        settings = self._org.settings
        grant = form.get("grant_type", "")
        if grant == _JWT_BEARER:
            error = self._assertion_error(form.get("assertion", ""), address)
        elif not _equal(form.get("client_id", ""), settings.client_id):
            error = ("invalid_client_id", "client identifier invalid")
        elif grant not in ("client_credentials", "refresh_token"):
            error = ("unsupported_grant_type", "grant type not supported")
        elif not _equal(form.get("client_secret", ""), settings.client_secret):
            error = ("invalid_client", "invalid client credentials")
        elif grant == "refresh_token" and not _equal(form.get("refresh_token", ""), settings.refresh_token):
            error = ("invalid_grant", "expired access/refresh token")
        else:
            error = None
        if error is not None:
            return json_answer(400, {"error": error[0], "error_description": error[1]})
        return self._issued(address)

    def identity(self, address: str) -> dict[str, Any]:
        """Who the token is of, as the identity's address and ``userinfo`` tell it."""
        settings = self._org.settings
        base = settings.instance_url or address
        return {
            "sub": f"{base}/id/{settings.org_id}/{USER_ID}",
            "id": f"{base}/id/{settings.org_id}/{USER_ID}",
            "user_id": USER_ID,
            "organization_id": settings.org_id,
            "username": settings.username,
            "preferred_username": settings.username,
            "display_name": "Integration",
            "name": "Integration",
            "email": settings.username,
            "is_sandbox": settings.is_sandbox,
            "active": True,
            "urls": {"rest": f"{base}/services/data/v{{version}}/"},
        }

    def _issued(self, address: str) -> Response:
        settings = self._org.settings
        token = f"{settings.org_id[:15]}!{secrets.token_urlsafe(24)}"
        self._until[token] = self._org.now_s() + settings.token_s
        self.count += 1
        base = settings.instance_url or address
        told = {"access_token": token, "instance_url": base, "token_type": "Bearer", "signature": "sandbox"}
        issued_at = str(int(self._org.now_s() * 1000))
        return json_answer(200, {**told, "id": f"{base}/id/{settings.org_id}/{USER_ID}", "issued_at": issued_at})

    def _assertion_error(self, assertion: str, address: str) -> tuple[str, str] | None:
        """What is wrong with a signed assertion."""
        settings = self._org.settings
        try:
            header, claims, signature = (_decoded(part) for part in assertion.split("."))
            algorithm, told = orjson.loads(header)["alg"], orjson.loads(claims)
        except (ValueError, TypeError, KeyError):
            return ("invalid_grant", "invalid assertion")
        signed = assertion.rpartition(".")[0].encode()
        if (
            algorithm != "RS256"
            or not settings.jwt_public_key
            or not _signs(settings.jwt_public_key, signed, signature)
        ):
            return ("invalid_grant", "invalid assertion")
        if told.get("iss") != settings.client_id:
            return ("invalid_client_id", "client identifier invalid")
        if told.get("sub") != settings.username:
            return ("invalid_grant", "user hasn't approved this consumer")
        if told.get("aud") not in (*_AUDIENCES, address):
            return ("invalid_grant", "audience is invalid")
        if not isinstance(told.get("exp"), int) or told["exp"] <= self._org.now_s():
            return ("invalid_grant", "expired authorization code")
        return None


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise ValueError(part) from None


def _signs(public_key: str, signed: bytes, signature: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise ConfigError("signed assertions need cryptography.", hint="pip install cryptography") from None
    key = load_pem_public_key(public_key.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(signature, signed, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
