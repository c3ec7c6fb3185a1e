"""Folders and files that their owner alone can read, whatever the umask: what lies in them are people's rows."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final

from reverse_etl.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600

LOCK_FILE: Final = "lock"
"""Name of the file in a folder by which one process keeps it for itself; it belongs to this machine alone."""


def make_private_folder(path: Path) -> None:
    """Makes a folder and those above it that are missing, each for its owner alone; one that exists stays as it is.

    Raises:
        OSError: It cannot be made, or is a file.
    """
    if path.is_dir():
        return
    if path.parent != path:
        make_private_folder(path.parent)
    try:
        path.mkdir(mode=PRIVATE_FOLDER)
        path.chmod(PRIVATE_FOLDER)
    except FileExistsError:
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file that is made where it is missing, for its owner alone; a device or pipe keeps its mode.

    Args:
        path: The file.
        flags: As ``os.open`` takes them; ``O_CREAT`` and ``O_CLOEXEC`` are added.

    Raises:
        OSError: It cannot be opened.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) and stat.S_IMODE(mode) != PRIVATE_FILE:
        os.fchmod(descriptor, PRIVATE_FILE)
    return descriptor


def partial_of(path: Path) -> Path:
    """Where a file is written until it is whole."""
    return path.with_name(f"{path.name}.partial")


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its place when the block ends, whole, over what is there; where the block fails, that stays.

    Raises:
        OSError: It cannot be written.
    """
    partial = partial_of(path)
    try:
        with os.fdopen(open_private(partial, os.O_WRONLY | os.O_TRUNC), "wb") as file:
            yield file
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """The same for a file of the home folder. Raises StateError where it cannot be written."""
    try:
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise StateError(
            f"{path} cannot be written: {os.strerror(error.errno) if error.errno else 'the disk fails'}.",
            hint="Free some space, or let the user who runs the syncs own the home folder; then run again.",
        ) from None
