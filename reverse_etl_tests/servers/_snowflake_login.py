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
DATABASES: Final = {"SHOP": ("PUBLIC",), "CRM": ("PUBLIC", "STAGING")}
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
    "CRM_WRITER": (),
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


_GRANT: Final = re.compile(
    r"(?P<verb>GRANT|REVOKE) (?P<privileges>[A-Z]+(?: [A-Z]+)*(?:, [A-Z]+(?: [A-Z]+)*)*) ON "
    r"(?P<kind>(?:FUTURE |ALL )?\w+(?: IN SCHEMA)?) (?P<name>[\w.\"]+) (?:TO|FROM) ROLE (?P<role>\"?\w+\"?)"
)


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

    def may(self, role: str, privilege: str, schema: str, table: str = "") -> bool:
        """Whether the role has a privilege on a schema, or on a table of it, as both are stored."""
        names = {("SCHEMA", schema), ("TABLES IN SCHEMA", schema), ("TABLE", f"{schema}.{table}")}
        return any(
            privilege == granted and (kind, name) in names
            for each in self.inherited(role)
            for granted, kind, name in self.grants.get(each, ())
        )

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
        elif made := _GRANT.fullmatch(sql):
            self._change(made)
        return made is not None

    def _change(self, made: re.Match[str]) -> None:
        """Gives privileges to a role, or takes them."""
        kind, name = re.sub(r"^(?:FUTURE|ALL) ", "", made["kind"]), made["name"].replace('"', "")
        if in_schema := re.fullmatch(r"((?:TABLES|VIEWS) IN SCHEMA) ([\w.]+)", f"{kind} {name}"):
            kind, name = in_schema[1], in_schema[2]
        grants = self.grants[made["role"].strip('"')]
        for privilege in made["privileges"].split(", "):
            grant = (privilege, kind, name.upper())
            if made["verb"] == "GRANT":
                grants.append(grant)
            elif privilege == "ALL":
                grants[:] = [each for each in grants if each[1:] != grant[1:]]
            elif grant in grants:
                grants.remove(grant)


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
