"""What the rows of one stream are compared by: their fingerprints, in a file beside them.

<run folder>/<stream>/fingerprints.parquet    each row with a key: ``kh``, ``kl``, ``rh``, ``row``, ``sendable``,
and where something becomes of what is gone ``NAMED``
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reverse_etl.changes.fingerprints import fingerprints, row_fingerprints, subkey
from reverse_etl.changeset.ahead import of_paths
from reverse_etl.changeset.columns import deleted_rows, key_columns
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.files.private import whole_file
from reverse_etl.progress import Progress, emit
from reverse_etl.report import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reverse_etl.changeset.parts import Outcomes, Parts
    from reverse_etl.config.streams import Stream
    from reverse_etl.destinations.powers import AsSent

FINGERPRINTS_FILE: Final = "fingerprints.parquet"

_SCHEMA: Final = pa.schema(
    [("kh", pa.uint64()), ("kl", pa.uint64()), ("rh", pa.uint64()), ("row", pa.int64()), ("sendable", pa.bool_())]
)
_SENDABLE: Final = _SCHEMA.get_field_index("sendable")

NAMED: Final = (("key", pa.list_(pa.string())), ("other", pa.uint64()))
"""What is remembered of a key so that it can be removed: the texts of the columns that name it, which a fingerprint
does not give back, and the fingerprint of its other identifier; 0 for none."""

_DELETED: Final = ("deleted", pa.bool_())
"""Whether the row says of itself that it is gone."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """What the fingerprints of a stream are made with.

    Attributes:
        secret: The home folder's.
        sync: The sync's name.
        identity: Whose the keys are: destination, kind of thing, identifier. Equal in syncs that name the same things.
        named: The stream, where the keys themselves are remembered; None where their fingerprints are enough.
    """

    secret: bytes
    sync: str
    identity: tuple[str, ...]
    named: Stream | None = None

    @property
    def schema(self) -> pa.Schema:
        """Of ``made``."""
        return _SCHEMA if self.named is None else pa.schema([*_SCHEMA, *NAMED, _DELETED])

    def made(self, batch: pa.RecordBatch, sent: AsSent) -> pa.RecordBatch:
        """What the rows of a batch that have a key are compared by, as the file has it; ``sendable`` is true for now.

        Args:
            batch: With ``ROW_NUMBER``.
            sent: What the destination is sent of it.
        """
        high, low = (subkey(self.secret, "key", half, *self.identity) for half in ("high", "low"))
        columns = [
            pa.array(fingerprints(sent.keys, high)),
            pa.array(fingerprints(sent.keys, low)),
            pa.array(row_fingerprints(sent.attributes, batch.num_rows, self.secret, self.sync)),
            batch.column(ROW_NUMBER),
            pa.array(np.ones(batch.num_rows, np.bool_)),
            *self._columns(batch, sent),
        ]
        found = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        return found.filter(pc.is_valid(sent.keys)) if sent.keys.null_count else found

    def _columns(self, batch: pa.RecordBatch, sent: AsSent) -> list[pa.Array]:
        """Those beside the fingerprints: ``NAMED``, and whether a row says that it is gone; none without ``named``."""
        if self.named is None:
            return []
        if sent.other is None:
            other = pa.array(np.zeros(batch.num_rows, np.uint64))
        else:
            other = pa.array(fingerprints(sent.other, subkey(self.secret, "other", self.sync)))
        names = list(sent.names) if sent.names is not None else key_columns(batch, self.named)
        return [lists(names), other, deleted_rows(batch)]


def write_fingerprints(
    parts: Parts,
    outcomes: Outcomes,
    as_sent: Callable[[pa.RecordBatch], AsSent],
    keyed: Keyed,
    made_of: Callable[[Path], pa.RecordBatch | None] = lambda _: None,
) -> None:
    """Writes the fingerprints of all rows that have a key, a batch at a time. Raises StateError.

    Args:
        parts: The rows.
        outcomes: Of the checks: a row that they keep back counts as present, and is not compared.
        as_sent: What the destination is sent of a batch.
        keyed: What fingerprints are made with.
        made_of: What was made of a part while further ones were read, as ``Keyed.made``; None for nothing.
    """

    def made(path: Path) -> pa.RecordBatch:
        found = made_of(path)
        if found is None:
            batch = parts.batch(path)
            found = keyed.made(batch, as_sent(batch))
        sendable = outcomes[found.column("row").to_numpy() - 1] == Outcome.UNDELIVERED
        return found.set_column(_SENDABLE, keyed.schema.field(_SENDABLE), pa.array(sendable))

    done = 0
    with (
        whole_file(parts.folder / FINGERPRINTS_FILE) as file,
        pq.ParquetWriter(file, keyed.schema, compression="none", use_dictionary=False) as writer,
    ):
        for found in of_paths(parts, made):
            writer.write_batch(found)
            done += found.num_rows
            emit(Progress("compare", parts.stream, done, total=len(outcomes)))


def lists(texts: list[pa.StringArray]) -> pa.ListArray:
    """One list a row, of the texts of each column."""
    rows, wide = len(texts[0]), len(texts)
    values = pa.concat_arrays(texts).take(pa.array(np.arange(rows * wide).reshape(wide, rows).T.ravel()))
    return pa.ListArray.from_arrays(pa.array(np.arange(0, rows * wide + 1, wide, dtype=np.int32)), values)
