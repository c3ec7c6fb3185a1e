"""The lock on a run's folder: one process works there at a time, and the lock ends with the process.

It is a lock of the operating system on a file in the folder, so it ends with the process, however that ends.
Between machines the workspace's lease (``state.workspace_lease``) keeps others off.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from reverse_etl.errors import StateError
from reverse_etl.files.private import LOCK_FILE, make_private_folder, open_private

PATIENCE_S: Final = 20.0
"""Seconds to wait for a process that is about to end: a canceled run may take ten."""

_LOOK_AGAIN_S: Final = 0.02

_held: dict[Path, int] = {}


def claimed(folder: Path) -> bool:
    """Whether a living process, this one included, works on a run's folder."""
    if folder in _held:
        return True
    if not was_claimed(folder):
        return False
    descriptor = _lock(folder)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def was_claimed(folder: Path) -> bool:
    """Whether a process of this machine has ever worked on a run's folder."""
    return (folder / LOCK_FILE).exists()


def claim(folder: Path, *, patience_s: float = PATIENCE_S) -> bool:
    """Makes this process the one that works on a run's folder, until ``release`` or its end; doing so twice is once.

    Args:
        folder: The run's folder; made where it is missing.
        patience_s: How long to wait for another process.

    Returns:
        Whether it was not yet: others may have worked on it since this process did.

    Raises:
        StateError: Another process works on it, or the folder cannot be written.
    """
    if folder in _held:
        return False
    deadline = time.monotonic() + patience_s
    try:
        make_private_folder(folder)
        while (descriptor := _lock(folder)) is None:
            if time.monotonic() >= deadline:
                raise StateError(
                    f"another process works on {folder}.", hint="Wait until that run has ended, or cancel it."
                )
            time.sleep(_LOOK_AGAIN_S)
    except OSError as error:
        raise StateError(
            f"the run's folder {folder} cannot be written: {error.strerror or error}.",
            hint="Free some space, or set REVERSE_ETL_HOME to a folder that you may write to.",
        ) from error
    _held[folder] = descriptor
    return True


def release(folder: Path) -> None:
    """Lets others work on a run's folder again."""
    descriptor = _held.pop(folder, None)
    if descriptor is not None:
        os.close(descriptor)


def _lock(folder: Path) -> int | None:
    descriptor = open_private(folder / LOCK_FILE, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
