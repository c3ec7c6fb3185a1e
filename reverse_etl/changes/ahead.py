"""Rows fingerprinted while further ones are read: what they are compared by, in a file beside each part until then.

<run folder>/<stream>/ahead-000000.arrow    as ``Keyed.made``, uncompressed; removed once it is read
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from reverse_etl.changeset.while_read import WhileRead
from reverse_etl.files.private import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reverse_etl.changes.keyed import Keyed
    from reverse_etl.changeset.parts import Parts, RunFolder
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.destinations.powers import AsSent


class FingerprintedAhead(WhileRead["Path"]):
    """The fingerprints of the rows of one changeset, made while it is read.

    Args:
        sync: What the rows are.
        folder: Where they are written.
        keyed: What the fingerprints of each stream are made with.
        as_sent: What the destination is sent of a batch of each stream.
    """

    def __init__(
        self,
        sync: SyncConfig,
        folder: RunFolder,
        keyed: Mapping[str, Keyed],
        as_sent: Mapping[str, Callable[[pa.RecordBatch], AsSent]],
    ) -> None:
        super().__init__(sync, folder, "fingerprinted-ahead")
        self._keyed = keyed
        self._as_sent = as_sent

    def see(self, parts: Parts, started_at: int, number: int, batch: pa.RecordBatch) -> None:  # noqa: ARG002 - ShownTo
        """Makes the fingerprints of a part that is about to be written; once all are written while too many wait."""
        path, write = parts.path(number), partial(self._write, parts, number)
        self.begin(path, partial(write, batch), lambda: write(parts.batch(path)))

    def taken(self, path: Path, keyed: Keyed) -> pa.RecordBatch | None:
        """What was made of a part, once; None where that is not known, or it was made with another secret.

        Args:
            path: The part.
            keyed: What it is to be made with.
        """
        written = self.made_of(path) if keyed in self._keyed.values() else None
        if written is None:
            return None
        try:
            found = pa.ipc.open_file(written).get_batch(0)
            written.unlink()
        except (OSError, pa.ArrowInvalid):
            return None
        return found

    def drop(self) -> list[Path]:
        """Makes nothing more, and removes what was not taken."""
        written = super().drop()
        for path in written:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        return written

    def _write(self, parts: Parts, number: int, batch: pa.RecordBatch) -> Path:
        found = self._keyed[parts.stream].made(batch, self._as_sent[parts.stream](batch))
        path = parts.folder / f"ahead-{number:06d}.arrow"
        with replacing(path) as file, pa.ipc.new_file(file, found.schema) as writer:
            writer.write_batch(found)
        return path


def remove_left(folder: RunFolder) -> None:
    """Removes what a process that was killed has made of a changeset, and that was not taken."""
    for path in folder.path.glob("*/ahead-*"):
        with suppress(OSError):
            path.unlink(missing_ok=True)
