"""Whether a sync that Dagster has loaded is started, as the files are now; and in which words it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.config.folder_now import folder_now
from reverse_etl.config.left_out import SEE_ALL
from reverse_etl.defs.failure import StepFailedError

if TYPE_CHECKING:
    from pathlib import Path

    from reverse_etl.config.left_out import LeftOut


def failure(name: str, why: LeftOut) -> StepFailedError:
    """What a run of such a sync ends with."""
    return StepFailedError(f"{in_words(name, why)} Nothing was read or sent. {SEE_ALL}", {})


def in_words(name: str, why: LeftOut) -> str:
    """The sentence for a tick or a run."""
    return f"{name} is left out: {why.why}"


def not_now(folder: Path, name: str) -> str:
    """Why a sync that is loaded is not started as the files are now; empty where it may be."""
    why = folder_now(folder).read().stopped(name)
    return f"{in_words(name, why)} {SEE_ALL}" if why is not None else ""
