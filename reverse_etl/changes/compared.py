"""What a run's comparison found, in the run's folder.

<run folder>/compared.json      ``Compared``; written once the rows were compared
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from reverse_etl.changes.attributes import StreamValues
from reverse_etl.changes.compare import Differences
from reverse_etl.changes.gone import GoneKeys
from reverse_etl.files.private import whole_file

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import RunFolder

_FILE: Final = "compared.json"


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found.

    Attributes:
        generation: What the rows were compared with; 0 for nothing.
        streams: What differs, by stream.
        known: Whether that generation says what was acknowledged; without, everything is sent.
        everything: Whether every row is sent, because it was asked for or is due.
        reshaped: The streams whose rows are sent in another shape than before.
        gone_before: Keys of that generation that were gone already.
        certain: Whether no row was sent twice so far.
        note: Why everything is sent, in a sentence; empty where there is no reason to say so.
        shapes: In which shape the rows of each stream are sent: ``generation.Made``.
        identities: What the keys of each stream name: ``generation.Made``.
        values: The streams whose values are remembered, with what is known of them.
        gone: By stream, what becomes of keys that are gone, where something does and it is known who they are.
        names: Whether keys are remembered by name from now on, of which only fingerprints were known.
        too_many: By stream, why nothing is sent, because more would be removed than may be at once: a sentence.
        went_back: By stream and attribute, in how many rows a time is earlier than what was acknowledged before.
    """

    generation: int
    streams: dict[str, Differences] = field(default_factory=dict)
    known: bool = False
    everything: bool = False
    reshaped: tuple[str, ...] = ()
    gone_before: int = 0
    certain: bool = True
    note: str = ""
    shapes: dict[str, str] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    values: dict[str, StreamValues] = field(default_factory=dict)
    gone: dict[str, GoneKeys] = field(default_factory=dict)
    names: bool = False
    too_many: dict[str, str] = field(default_factory=dict)
    went_back: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def stopped(self) -> str:
        """Why nothing is sent; empty where it is."""
        return " ".join(self.too_many.values())

    @property
    def to_send(self) -> int:
        """Rows that are sent, of all streams."""
        return sum(each.to_send for each in self.streams.values())

    @property
    def changes_anything(self) -> bool:
        """Whether the next generation differs from this one."""
        differs = any(each.gone or each.settled for each in self.streams.values())
        first_values = any(not each.known for each in self.values.values())
        return bool(self.to_send or self.names or self.gone_before or differs or first_values)


def compared(folder: RunFolder) -> Compared | None:
    """What the comparison in a run's folder found; None before it."""
    path = folder.path / _FILE
    if not path.exists():
        return None
    stored = json.loads(path.read_text())
    streams = {name: Differences(**each) for name, each in stored.pop("streams").items()}
    values = {name: StreamValues.from_stored(each) for name, each in stored.pop("values", {}).items()}
    gone = {name: GoneKeys(**each) for name, each in stored.pop("gone", {}).items()}
    reshaped = tuple(stored.pop("reshaped"))
    return Compared(streams=streams, reshaped=reshaped, values=values, gone=gone, **stored)


def keep(folder: RunFolder, found: Compared) -> None:
    """Writes down what a comparison found. Raises StateError."""
    with whole_file(folder.path / _FILE) as file:
        file.write(json.dumps(asdict(found)).encode())
