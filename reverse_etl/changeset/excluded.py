"""The rows that one rule or reason leaves out, as they are stored beside the parts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from reverse_etl.exclusions import ExcludedRows, by_reason
from reverse_etl.files.private import make_private_folder, whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reverse_etl.changeset.parts import RunFolder

EXCLUDED_FILE = "excluded.json"
LEFT_OUT_FILE = "left_out.json"
LEFT_OUT_LATER_FILE = "excluded-delivery.json"
FIRST_EXCLUDED = 100


@dataclass(slots=True)
class Excluded:
    """The rows that one rule leaves out; those that an earlier one leaves out, or that any rejects, do not count.

    Attributes:
        rule: The rule's name, or the reason.
        message: Why, a sentence.
        rows: How many.
        first: The numbers of the first ``FIRST_EXCLUDED``, ascending.
    """

    rule: str
    message: str = ""
    rows: int = 0
    first: list[int] = field(default_factory=list)


def write_excluded(path: Path, excluded: Iterable[Excluded]) -> None:
    """Stores rows that are left out, in place of what the file had. Raises StateError."""
    make_private_folder(path.parent)
    with whole_file(path) as file:
        file.write(json.dumps([asdict(each) for each in excluded]).encode())


def read_excluded(path: Path) -> list[Excluded]:
    """What is stored in a file; nothing where there is none."""
    stored = json.loads(path.read_text()) if path.exists() else []
    return [Excluded(**each) for each in stored]


def excluded_by(folder: RunFolder, rows: int) -> tuple[ExcludedRows, ...]:
    """Why rows of all streams of a run were left out, and how many for each reason.

    Args:
        folder: The run's, in which shaping, checks and delivery noted theirs.
        rows: How many rows were left out in all.
    """
    found: list[Excluded] = []
    for stream in folder.sent():
        here = folder.path / stream
        found += read_excluded(here / EXCLUDED_FILE) or read_excluded(here / LEFT_OUT_FILE)
        found += read_excluded(here / LEFT_OUT_LATER_FILE)
    return by_reason((ExcludedRows(each.rule, each.rows, each.message) for each in found), rows)
