"""The secret that fingerprints are made with: a file of the home folder, or a variable where machines share.

    <home>/secret        32 bytes, made at first use, for its owner alone

With another secret nothing that was acknowledged is known: everything is sent, and nothing is ever called gone.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import TYPE_CHECKING, Final

from reverse_etl.errors import ConfigError, StateError
from reverse_etl.files.private import open_private
from reverse_etl.files.storage import STORAGE_URL_VARIABLE
from reverse_etl.settings import value_of

if TYPE_CHECKING:
    from pathlib import Path

SECRET_VARIABLE: Final = "REVERSE_ETL_SECRET"  # noqa: S105 - a name

_BYTES: Final = 32
_LEAST_CHARACTERS: Final = 16


def secret_of(home: Path) -> bytes:
    """The secret of a home folder; the variable comes first.

    Raises:
        ConfigError: The variable is too short, or machines share their files and it is not set.
        StateError: The file cannot be read or made.
    """
    if text := from_variable():
        return hashlib.blake2b(text.encode(), digest_size=_BYTES).digest()
    path = home / "secret"
    try:
        return _read(path) if path.exists() else _made(path)
    except OSError as error:
        raise StateError(
            f"{path} cannot be read: {error.strerror or error}.",
            hint="Let the user who runs the syncs own the home folder.",
        ) from None


def from_variable() -> str:
    """What the variable holds; empty where the home folder has the secret.

    Raises:
        ConfigError: It is too short, or machines share their files and it is not set.
    """
    text = value_of(SECRET_VARIABLE)
    if text and len(text) < _LEAST_CHARACTERS:
        raise ConfigError(
            f"{SECRET_VARIABLE} has fewer than {_LEAST_CHARACTERS} characters.",
            hint="Make one with: openssl rand -hex 32",
        )
    if not text and value_of(STORAGE_URL_VARIABLE):
        raise ConfigError(
            f"`changes: {{by: compare}}` needs {SECRET_VARIABLE} where machines share their files "
            f"({STORAGE_URL_VARIABLE}).",
            hint="Set it to the same value on all of them. Make one with: openssl rand -hex 32",
        )
    return text


def secret_id(secret: bytes) -> str:
    """What tells one secret from another, and nothing more."""
    return hashlib.blake2b(b"id", key=secret, digest_size=8).hexdigest()


def _read(path: Path) -> bytes:
    found = path.read_bytes()
    if len(found) != _BYTES:
        raise StateError(
            f"{path} is not a secret of {_BYTES} bytes.",
            hint="Restore it, or remove it: then every sync that compares sends everything once.",
        )
    return found


def _made(path: Path) -> bytes:
    """Written beside its place and linked there: of two processes that make it at once, both read the first one's."""
    made = secrets.token_bytes(_BYTES)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    descriptor = open_private(partial, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(descriptor, made)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(partial, path)
    except FileExistsError:
        return _read(path)
    finally:
        partial.unlink()
    return made
