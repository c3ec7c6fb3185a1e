"""The token in the page's address, by which it knows who may read it: other users of the machine do not have it.

    <home>/syncs_page_token        made at first use, for its owner alone

A user who can read that file can read the failed rows beside it too. Delete it to get a new token when the page
starts again.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from reverse_etl.errors import StateError
from reverse_etl.files.private import open_private

if TYPE_CHECKING:
    from pathlib import Path

FIELD: Final = "token"
"""Its name in an address."""

_FILE: Final = "syncs_page_token"
_LEAST_CHARACTERS: Final = 32


def token_file(home: Path) -> Path:
    """Where the token of a home folder is."""
    return home / _FILE


def kept_token(home: Path) -> str:
    """The token of a home folder, made where there is none. Raises StateError where it cannot be read or made."""
    path = token_file(home)
    try:
        with os.fdopen(open_private(path, os.O_RDWR | os.O_APPEND), "r+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # of two processes that make it at once, the second reads the first one's
            if kept := file.read().strip():
                token = kept
            else:
                file.write(token := secrets.token_urlsafe(_LEAST_CHARACTERS))
    except (OSError, UnicodeDecodeError):
        raise StateError(
            f"{path} cannot be read or written.",
            hint="Let the user who runs the syncs own the home folder, or delete the file: then a new one is made.",
        ) from None
    if len(token) < _LEAST_CHARACTERS:
        raise StateError(f"{path} has no token of ours.", hint="Delete it: then a new one is made.")
    return token


def fits(token: str, given: str) -> bool:
    """Whether what was given is the token; takes as long whatever is wrong about it."""
    return hmac.compare_digest(token.encode(), given.encode("utf-8", "replace"))


def cookie_of(token: str) -> tuple[str, str]:
    """Name and value of the cookie of a browser that had the token; pages of other homes have another name."""
    value = hmac.new(token.encode(), b"cookie", sha256).hexdigest()
    return f"reverse_etl_{sha256(value.encode()).hexdigest()[:8]}", value
