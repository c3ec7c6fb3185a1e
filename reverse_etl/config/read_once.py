"""A folder's files as one command read them first, for all that it does with them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from reverse_etl.config.loader import load_runnable
from reverse_etl.config.targets import chosen_target

if TYPE_CHECKING:
    from pathlib import Path

    from reverse_etl.config.syncs import ProjectConfig


def project_once(directory: Path) -> ProjectConfig:
    """What ``load_runnable`` returns, read once in a process that ends with its runs; later changes are for the next.

    Raises:
        ConfigProblemsError: A faulty file stops every sync; the next call looks at the files again.
        ConfigError: There is no such folder.
    """
    return _read(directory.expanduser().absolute(), chosen_target())


@cache
def _read(folder: Path, target: str) -> ProjectConfig:
    """The folder's project; of which target is already chosen, and a part of the key."""
    del target
    return load_runnable(folder)
