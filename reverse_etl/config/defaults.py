"""``_defaults.yaml``: what holds for the syncs of its folder and of folders in it, where their files do not say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from reverse_etl.config.completed import completed
from reverse_etl.config.document import Document
from reverse_etl.config.problems import Problem, did_you_mean, problem_at
from reverse_etl.config.sync_file import SyncFile

DEFAULTS: Final = "_defaults.yaml"

KEYS: Final = (
    *("database", "workspace", "destination", "schedule", "changes", "failed_rows", "checks"),
    *("spot_check", "max_rows", "owners", "contract"),
)
"""What syncs can have in common. What a row is, and where it comes from, is each sync's own."""

_SAME: Final = frozenset({"workspace", "destination"})
"""Two words for one thing: a sync that has one of them has no use for the other."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """One file of them.

    Attributes:
        folder: Absolute; they hold for the syncs in it and below.
        file: As people are shown it.
        content: The file's bytes.
        document: Its known keys.
    """

    folder: Path
    file: str
    content: bytes
    document: Document


def read_defaults(path: Path, file: str, content: bytes, document: Document, problems: list[Problem]) -> Defaults:
    """Makes them of a file that was read, and adds unknown keys to ``problems``."""
    for key in document.values.keys() - set(KEYS):
        text = "is not for all syncs of a folder" + did_you_mean(key, KEYS, otherwise="known are")
        problems.append(problem_at(file, document, (key,), text))
    known = {key: value for key, value in document.values.items() if key in KEYS}
    return Defaults(path.parent, file, content, replace(document, values=known))


def with_defaults(sync: SyncFile, found: list[Defaults]) -> SyncFile:
    """The sync's file with the defaults of its folder, then of those around it; a key that it has replaces theirs."""
    folder = sync.folder
    holding = [each for each in found if folder is not None and folder.is_relative_to(each.folder)]
    if not sync.document.values:
        return sync
    for each in sorted(holding, key=lambda each: len(each.folder.parts), reverse=True):
        values = each.document.values
        if sync.document.values.keys() & _SAME:
            values = {key: value for key, value in values.items() if key not in _SAME}
        document = completed(sync.document, replace(each.document, values=values), each.file)
        sync = replace(sync, document=document, content=sync.content + each.content)
    return sync
