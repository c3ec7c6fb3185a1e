"""The files that say what a sync's destination acknowledged. They are made once and never changed.

    <home>/snapshots/<sync>/g000041/
        rows.parquet        one row a key that may be in the destination because of this sync: ``SCHEMA``
        …                   one more for each further stream
        rows.values.parquet the values that its run acknowledged, where they are remembered: ``changes.values``
        made.json           ``Made``; written last, so its presence seals the others

Which generation counts is in ``state.snapshots``: a folder that it does not name is nothing. Where machines share
their files, a generation is put there before it counts.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from reverse_etl.errors import StateError
from reverse_etl.files.private import make_private_folder, whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reverse_etl.files.storage import Storage

SCHEMA: Final = pa.schema(
    [
        pa.field("kh", pa.uint64()),
        pa.field("kl", pa.uint64()),
        pa.field("rh", pa.uint64()),
        pa.field("known", pa.bool_()),
        pa.field("gone_at", pa.int64()),
    ]
)
"""``kh``, ``kl``: the key's two fingerprints. ``rh``: the row's, as it was acknowledged; null where it is in doubt.
``known``: whether it was acknowledged at least once. ``gone_at``: Unix seconds of the first whole reading without it.
Where something becomes of what is gone, ``keyed.NAMED`` follow.
"""

FORMAT: Final = 1
"""Of these files; a release that finds a higher one does not read them."""

_MADE: Final = "made.json"
_DIGEST: Final = 32


@dataclass(frozen=True, slots=True)
class Made:
    """What a generation is of.

    Attributes:
        run_id: The changeset that it was made from.
        read_at: When that was read, Unix seconds.
        full_at: When every row was sent last, whatever was acknowledged, Unix seconds.
        recipient: Who acknowledged it, as ``changeset.recipient`` writes it.
        secret_id: Of the secret that the fingerprints are made with.
        shapes: For each stream, a hash of what decides how a row is sent, beside its values.
        rows: For each stream, how many keys.
        gone: How many of all of them are gone.
        digests: For each stream, a hash of its file, so that bytes that the disk lost are noticed.
        follows: The changeset that the generation before was made from; empty for the first one.
        attributes: For each stream whose values are remembered, the names of its attributes, in the order of their
            columns. Names are only added.
        values: For each of these streams, the generations whose files of values are still needed, the oldest first,
            each with a hash of the file.
        left: For each stream, the names of attributes that its query had no more; as far as it was read.
        identities: For each stream, a hash of what its keys name; empty where an earlier release made it.
        made_at: When it was made, Unix seconds; 0 where an earlier release made it.
        sent_by: The run that sent it; empty where that is the changeset's own, or not known.
        format: Of the files.
    """

    run_id: str
    read_at: int
    full_at: int
    recipient: str
    secret_id: str
    shapes: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    gone: int = 0
    digests: dict[str, str] = field(default_factory=dict)
    follows: str = ""
    attributes: dict[str, list[str]] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    made_at: int = 0
    sent_by: str = ""
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Generations:
    """The generations of one sync.

    Attributes:
        folder: ``<home>/snapshots/<sync>``.
        storage: Where other machines find them; None where this one keeps them for itself.
    """

    folder: Path
    storage: Storage | None = None

    def stream(self, generation: int, stream: str) -> Path:
        """The file of a stream."""
        return self.path(generation) / f"{stream}.parquet"

    def values(self, generation: int, stream: str) -> Path:
        """The file of the values of a stream that a generation's run acknowledged."""
        return self.path(generation) / _values_file(stream)

    def needed_values(self, made: Made, stream: str) -> list[Path]:
        """The files that have a stream's values, the oldest first; none where one of them is missing or damaged.

        Args:
            made: What a generation is of.
            stream: The stream.

        Raises:
            StateError: The shared place cannot be reached.
        """
        found = []
        for generation, digest in made.values.get(stream, {}).items():
            path = self._with_digest(int(generation), stream, digest)
            if path is None:
                return []
            found.append(path)
        return found

    @property
    def are_here(self) -> bool:
        """Whether there are any on this machine."""
        return any(self.folder.glob(f"g*/{_MADE}"))

    def made(self, generation: int, run_id: str) -> Made | None:
        """What a generation is of; None where a file of it is missing or damaged, here and where machines share.

        Numbers start again when what was acknowledged is forgotten, so files of the same number may be of another run.

        Args:
            generation: Its number.
            run_id: The changeset that it was made from.

        Raises:
            StateError: A newer release wrote it; or the shared place cannot be reached.
        """
        made = self.noted(generation)
        if self.storage is not None and (made is None or made.run_id != run_id):
            self._fetch(self.storage, generation)
            made = self.noted(generation)
        if made is None or made.run_id != run_id:
            return None
        whole = all(_digest(self.stream(generation, stream)) == made.digests.get(stream) for stream in made.rows)
        return made if whole else None

    def chain(self, generation: int, run_id: str) -> Iterator[tuple[int, Made]]:
        """A generation and those before it, as far as they are kept, whether or not their fingerprints still are.

        Args:
            generation: The newest.
            run_id: The changeset that it was made from.

        Raises:
            StateError: A newer release wrote one; or the shared place cannot be reached.
        """
        while generation > 0:
            made = self.noted(generation)
            if self.storage is not None and (made is None or made.run_id != run_id):
                content = self.storage.read(self.named(generation, _MADE))
                made = None if content is None else _read(self.path(generation), content)
            if made is None or made.run_id != run_id:
                return
            yield generation, made
            generation, run_id = generation - 1, made.follows

    def own_values(self, generation: int, made: Made, stream: str) -> Path | None:
        """The file of the values that a generation's run acknowledged; None where there is none, or it is damaged."""
        digest = made.values.get(stream, {}).get(str(generation))
        return self._with_digest(generation, stream, digest) if digest else None

    def own_is_whole(self, generation: int, made: Made, stream: str) -> bool:
        """Whether the file of ``own_values`` is there, or there was none to keep."""
        noted = str(generation) in made.values.get(stream, {})
        return not noted or self.own_values(generation, made, stream) is not None

    def _with_digest(self, generation: int, stream: str, digest: str) -> Path | None:
        path = self.values(generation, stream)
        named = self.named(generation, path.name)
        if _digest(path) != digest and self.storage is not None and self.storage.has(named):
            make_private_folder(path.parent)
            self.storage.fetch({named: path})
        return path if _digest(path) == digest else None

    def begin(self, generation: int) -> None:
        """Makes the folder of a generation; what an interrupted run left of it is removed. Raises StateError."""
        path = self.path(generation)
        try:
            shutil.rmtree(path, ignore_errors=True)
            make_private_folder(path)
        except OSError as error:
            raise StateError(
                f"{path} cannot be made: {error.strerror or error}.", hint="Free some space, then run again."
            ) from None

    def seal(self, generation: int, made: Made) -> None:
        """Says that the files of a generation are whole, and puts them where other machines find them.

        Raises:
            StateError: They cannot be written.
        """
        made = replace(
            made,
            digests={stream: _digest(self.stream(generation, stream)) for stream in made.rows},
            values={
                stream: {
                    number: _digest(self.values(generation, stream)) if number == str(generation) else digest
                    for number, digest in numbers.items()
                }
                for stream, numbers in made.values.items()
            },
        )
        with whole_file(self.path(generation) / _MADE) as file:
            file.write(json.dumps(asdict(made)).encode())
        if self.storage is not None:
            names = [f"{stream}.parquet" for stream in made.rows]
            names += [_values_file(stream) for stream in made.values if str(generation) in made.values[stream]]
            self.storage.put({self.named(generation, name): self.path(generation) / name for name in names})
            self.storage.put({self.named(generation, _MADE): self.path(generation) / _MADE})

    def noted(self, generation: int) -> Made | None:
        """What the files of a number are of on this machine, whether or not they are whole; None for none."""
        try:
            return _read(self.path(generation), (self.path(generation) / _MADE).read_bytes())
        except OSError:
            return None

    def remove_shared(self, generation: int, run_id: str) -> None:
        """Removes what the shared place has of a generation, if it is of that changeset. Raises StateError."""
        if self.storage is None:
            return
        content = self.storage.read(self.named(generation, _MADE))
        made = None if content is None else _read(self.path(generation), content)
        if made is not None and made.run_id == run_id:
            self.storage.remove(self.named(generation))

    def _fetch(self, storage: Storage, generation: int) -> None:
        content = storage.read(self.named(generation, _MADE))
        made = None if content is None else _read(self.path(generation), content)
        if content is None or made is None:
            return
        self.begin(generation)
        names = [f"{stream}.parquet" for stream in made.rows]
        names += [_values_file(stream) for stream in made.values if str(generation) in made.values[stream]]
        there = [name for name in names if storage.has(self.named(generation, name))]
        storage.fetch({self.named(generation, name): self.path(generation) / name for name in there})
        with whole_file(self.path(generation) / _MADE) as file:
            file.write(content)

    def path(self, generation: int) -> Path:
        """The folder of a generation."""
        return self.folder / f"g{generation:06d}"

    def named(self, generation: int, *name: str) -> str:
        """What a generation's folder is called in the shared place, or a file of it."""
        return "/".join(("snapshots", self.folder.name, self.path(generation).name, *name))


def _values_file(stream: str) -> str:
    return f"{stream}.values.parquet"


def _read(path: Path, content: bytes) -> Made | None:
    try:
        stored = json.loads(content)
        newer = stored.get("format", 0) > FORMAT
        made = None if newer else Made(**stored)
    except (ValueError, TypeError, AttributeError):
        return None
    if newer:
        raise StateError(f"{path} was written by a newer release.", hint="Upgrade: pip install --upgrade reverse-etl")
    return made


def _digest(path: Path) -> str:
    """Of a file; empty where there is none, or it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, hashlib.blake2b).hexdigest()[:_DIGEST]
    except OSError:
        return ""
