"""Faulty files: one stops all runs of its folder, and every screen says so in the same words.

What the syncs of other files delete or write beside those of a faulty one is not known, so none of them starts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from reverse_etl.config.loader import inspect_project
from reverse_etl.config.problems import lines
from reverse_etl.counted import counted
from reverse_etl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

STOPS_ALL: Final = (
    "One faulty file stops all runs of its folder until it is mended; runs in progress go on to their end."
)

SEE_ALL: Final = "To see every problem: reverse-etl validate"


def problems_now(folder: Path) -> Sequence[str]:
    """Every problem of a folder's files as they are now, a line each; or why the folder cannot be read."""
    try:
        return lines(inspect_project(folder).problems)
    except ConfigError as error:
        return [str(error)]


def first_of(problems: Sequence[str]) -> str:
    """The first of one or more problems and how many there are besides, as sentences."""
    first = problems[0] if problems[0].endswith(("?", ".")) else f"{problems[0]}."
    more = len(problems) - 1
    if not more:
        return first
    return f"{first} There {'is' if more == 1 else 'are'} {counted(more, 'more problem')}."
