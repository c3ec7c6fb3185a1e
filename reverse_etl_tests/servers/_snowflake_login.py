"""Who may log in to the Snowflake counterpart, and how the service refuses the others."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization

ACCOUNT: Final = "ACME-SHOP"
DATABASES: Final = {"SHOP": ("PUBLIC",)}
WAREHOUSES: Final = ("SYNC_WH",)

GRANTS: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "PUBLIC": (),
    "SYNC_READER": (
        ("USAGE", "DATABASE", "SHOP"),
        ("USAGE", "SCHEMA", "SHOP.PUBLIC"),
        ("USAGE", "WAREHOUSE", "SYNC_WH"),
        ("SELECT", "TABLE", "SHOP.PUBLIC.PLANTED"),
        ("SELECT", "VIEW", "SHOP.PUBLIC.PEOPLE"),
    ),
    "SYNC_WRITER": (("USAGE", "ROLE", "SYNC_READER"), ("INSERT", "TABLE", "SHOP.PUBLIC.PLANTED")),
    "SYNC_HEIR": (("USAGE", "ROLE", "SYNC_WRITER"),),
    "SYNC_UNSEEN": (),
    "OWNER": (("OWNERSHIP", "DATABASE", "SHOP"),),
}
"""What each role may: privilege, kind of object, name."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in.

    Attributes:
        password: Empty when none is accepted.
        public_key: PEM; empty when none is registered.
        tokens: OAuth tokens by whether they are still valid.
        roles: Granted; the first is the default.
        refusal: Code and text of an answer that every login gets, such as that of a locked user.
    """

    password: str = ""
    public_key: str = ""
    tokens: dict[str, bool] = field(default_factory=dict)
    roles: tuple[str, ...] = ("SYNC_READER",)
    refusal: tuple[str, str] | None = None


@dataclass(slots=True)
class Accounts:
    """Users and what their roles may; the owner's statements change them."""

    users: dict[str, User]
    grants: dict[str, list[tuple[str, str, str]]] = field(
        default_factory=lambda: {role: list(grants) for role, grants in GRANTS.items()}
    )
    warehouses: set[str] = field(default_factory=lambda: set(WAREHOUSES))

    def inherited(self, role: str) -> Iterator[str]:
        """The role and those that it has been given."""
        yield role
        for privilege, kind, name in self.grants.get(role, ()):
            if (privilege, kind) == ("USAGE", "ROLE"):
                yield from self.inherited(name)

    def may_read(self, role: str) -> bool:
        """Whether the role may read tables."""
        grants = (grant for name in self.inherited(role) for grant in self.grants[name])
        return any(privilege in ("SELECT", "OWNERSHIP") for privilege, _, _ in grants)

    def administer(self, sql: str) -> bool:
        """Whether the statement was about users, roles, grants or warehouses; it has then been done."""
        sql = " ".join(sql.split()).rstrip(";")
        if made := re.fullmatch(r"CREATE ROLE (\w+)", sql):
            self.grants[made[1]] = []
        elif made := re.fullmatch(r"CREATE WAREHOUSE (\w+) .*", sql):
            self.warehouses.add(made[1])
        elif made := re.fullmatch(r"CREATE USER (\w+) .*\bRSA_PUBLIC_KEY = '([^']+)'.*", sql):
            self.users[made[1]] = User(
                public_key=f"-----BEGIN PUBLIC KEY-----\n{made[2]}\n-----END PUBLIC KEY-----", roles=()
            )
        elif made := re.fullmatch(r"GRANT ROLE (\w+) TO USER (\w+)", sql):
            user = self.users[made[2]]
            self.users[made[2]] = replace(user, roles=(*user.roles, made[1]))
        elif made := re.fullmatch(
            r"GRANT (\w+) ON (\w+) ((?:TABLES|VIEWS) IN SCHEMA [\w.]+|[\w.]+) TO ROLE (\w+)", sql
        ):
            self.grants[made[4]].append((made[1], made[2], made[3]))
        return made is not None


def refusal(accounts: Accounts, data: dict[str, Any], names: dict[str, str]) -> tuple[str, str] | None:
    """Code and text when the login is not accepted.

    Args:
        accounts: Who there is.
        data: What the driver sent.
        names: ``databaseName``, ``schemaName``, ``warehouse`` and ``roleName`` as it asked for them.
    """
    user = accounts.users.get(str(data.get("LOGIN_NAME", "")).upper())
    if user is not None and user.refusal is not None:
        return user.refusal
    method = str(data.get("AUTHENTICATOR", "SNOWFLAKE")).upper()
    if method == "SNOWFLAKE_JWT":
        if user is None or not _signed(str(data.get("TOKEN")), str(data["LOGIN_NAME"]).upper(), user):
            return "390144", "JWT token is invalid. [0b5d1c1e-8f3d-4b7a-9d55-0f5f2f1f8a11]"
    elif method == "OAUTH":
        if user is None or data.get("TOKEN") not in user.tokens:
            return "390303", "Invalid OAuth access token. [0b5d1c1e-8f3d-4b7a-9d55-0f5f2f1f8a11]"
        if not user.tokens[data["TOKEN"]]:
            return "390318", "OAuth access token expired. [0b5d1c1e-8f3d-4b7a-9d55-0f5f2f1f8a11]"
    elif user is None or not user.password or data.get("PASSWORD") != user.password:
        return "390100", "Incorrect username or password was specified."
    role = names.get("roleName", user.roles[0]).upper()
    if role not in user.roles:
        return (
            "390189",
            f"Role '{role}' specified in the connect string does not exist or not authorized. Contact your local "
            "system administrator, or attempt to login with another role, e.g. PUBLIC.",
        )
    if data.get("SESSION_PARAMETERS", {}).get("CLIENT_VALIDATE_DEFAULT_PARAMETERS"):
        return _missing(names, accounts.warehouses)
    return None


def _missing(names: dict[str, str], warehouses: set[str]) -> tuple[str, str] | None:
    database = names.get("databaseName", "SHOP").upper()
    found = {
        "database": database in DATABASES,
        "schema": names.get("schemaName", "PUBLIC").upper() in DATABASES.get(database, ()),
        "warehouse": names.get("warehouse", "SYNC_WH").upper() in warehouses,
    }
    for kind, there in found.items():
        if not there:
            return "390201", f"The requested {kind} does not exist or not authorized."
    return None


def _signed(token: str, name: str, user: User) -> bool:
    """Whether the token is signed with the registered key, for this account and user, and still valid."""
    if not user.public_key:
        return False
    key: Any = serialization.load_pem_public_key(user.public_key.encode())
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()
    try:
        jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=f"{ACCOUNT}.{name}.{fingerprint}",
            subject=f"{ACCOUNT}.{name}",
            options={"require": ["exp", "iat", "iss", "sub"]},
        )
    except jwt.InvalidTokenError:
        return False
    return True
