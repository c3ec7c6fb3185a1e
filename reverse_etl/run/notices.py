"""What a destination says of a delivery that is no failure, for the run's message: ``<run folder>/notices.json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from reverse_etl.destinations.request_powers import GivesNotices
from reverse_etl.files.private import whole_file

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import RunFolder

_FILE: Final = "notices.json"


def note_notices(destination: object, folder: RunFolder) -> None:
    """Keeps what a destination has to say, in place of what was kept before. Raises StateError."""
    if isinstance(destination, GivesNotices):
        with whole_file(folder.path / _FILE) as file:
            file.write(json.dumps([*destination.notices()]).encode())


def notices_of(folder: RunFolder) -> str:
    """The sentences that are kept; empty for none."""
    path = folder.path / _FILE
    return " ".join(json.loads(path.read_text())) if path.exists() else ""
