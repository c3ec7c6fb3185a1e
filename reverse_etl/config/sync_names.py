"""What a sync may be called: its file's name is that of a Dagster job too."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Final

from reverse_etl.config.connections_file import NAME
from reverse_etl.config.problems import Problem
from reverse_etl.config.sync_file import SyncFile

# Dagster 1.13.27, dagster/_core/definitions/utils.py, DISALLOWED_NAMES.
_TAKEN_NAMES: Final = frozenset(keyword.kwlist) | {
    *("context", "conf", "config", "meta", "arg_dict", "dict", "input_arg_dict", "output_arg_dict"),
    *("int", "str", "float", "bool", "input", "output", "type"),
}


def name_problem(name: str) -> str:
    """Why a sync cannot be called so, with a name that it could have; empty when it can."""
    if NAME.fullmatch(name) is None:
        better = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or "sync"
        return f"a name has letters, digits and underscores only, such as {better}"
    if name in _TAKEN_NAMES or name.startswith("__"):
        return f"Dagster keeps the name {name} for itself; another one is {_free(name)}"
    return ""


def _free(name: str) -> str:
    return f"{name.strip('_')}_sync"


def check_name(sync: SyncFile, path: Path, named: dict[str, SyncFile], problems: list[Problem]) -> None:
    """Adds to ``problems`` what keeps a sync from its name: it is a Dagster job's too, and no other sync has it."""
    text, both = "", tuple[str, ...]()
    if NAME.fullmatch(sync.name) is None:
        better = re.sub(r"[^A-Za-z0-9_]+", "_", sync.name).strip("_") or "sync"
        text = f"a sync's name has letters, digits and underscores only: rename the file to {better}{path.suffix}"
    elif sync.name in _TAKEN_NAMES or sync.name.startswith("__"):
        better = _free(sync.name)
        text = f"Dagster keeps the name {sync.name} for itself: rename the file, for example to {better}{path.suffix}"
    elif (other := named.get(sync.name.lower())) is not None:
        text = f"there is another sync named {other.name}, in {other.file}: rename one file"
        both = (sync.file, other.file)
    if text:
        problems.append(Problem(sync.file, 0, "", text, both))
