"""Which destination a run's rows are for: the one that acknowledges them, whatever name it has in ``connections.yaml``.

    <run folder>/recipient.json     for whom the rows were read, and whether that was confirmed

A run sends its rows to that one alone. Decision: docs/decisions/0013-whose-acknowledgements.md.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from reverse_etl.files.private import whole_file

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import RunFolder

RECIPIENT_FILE: Final = "recipient.json"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A destination, distinct from all others.

    Attributes:
        address: Hash of its address and of the account that logs in there; known without asking.
        environment: What it calls itself; empty where it gives no name, or was not asked.
    """

    address: str
    environment: str = ""

    @classmethod
    def at(cls, *address: str) -> Self:
        """The destination at an address; its parts are only kept as a hash."""
        return cls(hashlib.sha256("\n".join(address).encode()).hexdigest()[:32])

    def is_same(self, other: Recipient) -> bool:
        """Whether two are one: by what they call themselves, or else by where they are."""
        if self.environment and other.environment:
            return self.environment == other.environment
        return self.address == other.address

    def as_text(self) -> str:
        """As it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str | None) -> Self | None:
        """As ``as_text`` wrote it; None where nothing was stored."""
        return cls(**json.loads(text)) if text else None


@dataclass(frozen=True, slots=True)
class RowsFor:
    """For whom the rows of a run are.

    Attributes:
        recipient: The destination.
        confirmed: Whether it identified itself so in this run; until then nothing is sent, and last sync time stays.
        note: What people should know of it, a sentence; may be empty.
    """

    recipient: Recipient
    confirmed: bool = False
    note: str = ""


def rows_for(folder: RunFolder) -> RowsFor | None:
    """For whom the rows in a run's folder are; None where that was not recorded."""
    path = folder.path / RECIPIENT_FILE
    if not path.exists():
        return None
    known: dict[str, Any] = json.loads(path.read_text())
    return RowsFor(Recipient(**known.pop("recipient")), **known)


def keep_rows_for(folder: RunFolder, rows: RowsFor) -> None:
    """Records for whom the rows are. Raises StateError."""
    path = folder.path / RECIPIENT_FILE
    with whole_file(path) as file:
        file.write(json.dumps(asdict(rows)).encode())
    if folder.shared is not None:
        folder.shared.put_one(folder.path, path.name)


def confirm(folder: RunFolder, recipient: Recipient) -> bool:
    """Notes that the destination identified itself; false, and nothing is noted, where the rows are for another one.

    Raises:
        StateError: The folder cannot be written.
    """
    rows = rows_for(folder) or RowsFor(recipient)
    if not rows.recipient.is_same(recipient):
        return False
    known = replace(recipient, environment=recipient.environment or rows.recipient.environment)
    keep_rows_for(folder, replace(rows, recipient=known, confirmed=True))
    return True
