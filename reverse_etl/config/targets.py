"""Targets, such as dev and prod: the same syncs, each target with destinations and a state of its own.

``connections.prod.yaml`` beside ``connections.yaml`` makes the target ``prod``. Rows can only go to what the target's
own file names; databases, channels and the rest are those of ``connections.yaml`` where the target has no others.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from reverse_etl.config.completed import completed
from reverse_etl.config.document import Document
from reverse_etl.config.problems import did_you_mean
from reverse_etl.settings import TARGET_VARIABLE, value_of

CONNECTIONS: Final = "connections.yaml"

_OF_A_TARGET: Final = re.compile(r"connections\.([A-Za-z0-9_-]+)\.yaml")
_OWN: Final = ("workspaces", "destinations")
"""Sections that targets do not share: rows must not go to one target's place because another's file lacks it."""

_ENTRY_BY_ENTRY: Final = ("databases", "notify")


def targets(folder: Path) -> tuple[str, ...]:
    """The targets of a folder of syncs, in alphabetical order; none where it has only ``connections.yaml``."""
    found = (_OF_A_TARGET.fullmatch(path.name) for path in folder.glob("connections.*.yaml"))
    return tuple(sorted(match[1] for match in found if match))


def chosen_target() -> str:
    """The target of this process: what ``--target`` or ``REVERSE_ETL_TARGET`` names. Empty for none."""
    return value_of(TARGET_VARIABLE)


def is_connections(path: Path, folder: Path) -> bool:
    """Whether a file is one of those that name databases and destinations, in the top folder."""
    return path.parent == folder and (path.name == CONNECTIONS or _OF_A_TARGET.fullmatch(path.name) is not None)


def is_named_like_connections(path: Path) -> bool:
    """Whether a file is named like one of them, wherever it lies."""
    return path.stem == "connections" or path.stem.startswith("connections.")


def missing(folder: Path, target: str) -> str:
    """Why the connections of a target cannot be read, the end of a sentence; empty where its file is there."""
    known = targets(folder)
    if target and target not in known:
        near = did_you_mean(target, known, otherwise="targets are")
        return f"is missing: it names the workspaces of the target {target}{near}"
    if not target and known:
        choose = f"choose one of them with --target, or set {TARGET_VARIABLE}: {', '.join(known)}"
        return f"has targets beside it, with destinations of their own: {choose}"
    if not target and not (folder / CONNECTIONS).exists():
        return "is missing: it names the databases and workspaces of all syncs"
    return ""


def file_of(folder: Path, target: str) -> Path:
    """The file that names the destinations of a target; ``connections.yaml`` for none."""
    return folder / (f"connections.{target}.yaml" if target else CONNECTIONS)


def with_shared(document: Document, shared: Document, file: str) -> Document:
    """A target's document with what ``connections.yaml`` (``file``) says for all targets."""
    common = replace(shared, values={key: value for key, value in shared.values.items() if key not in _OWN})
    return completed(document, common, file, entry_by_entry=_ENTRY_BY_ENTRY)
