"""What runs changed of one row, as the destination acknowledged it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa

from reverse_etl.changes.fingerprints import fingerprints, subkey
from reverse_etl.changes.generation import Generations
from reverse_etl.changes.history import Acknowledged, history_of
from reverse_etl.changes.secret import secret_of
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.config.streams import ROWS
from reverse_etl.errors import ConfigError
from reverse_etl.files.scratch import scratch_database
from reverse_etl.files.storage import storage_from_environment
from reverse_etl.run.acknowledged import keyed, kind_of
from reverse_etl.state.snapshots import snapshot_of

if TYPE_CHECKING:
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store


def history_of_key(sync: SyncConfig, home: Home, store: Store, identifier: str) -> list[Acknowledged]:
    """What was acknowledged of the row with an identifier, the newest run first.

    Args:
        sync: The sync.
        home: Where its files lie.
        store: The state.
        identifier: As failed rows show it.

    Raises:
        ConfigError: The sync remembers no values.
        StateError: The files cannot be read.
    """
    if not sync.remembers_values:
        raise ConfigError(
            f"{sync.where} remembers no values, so what was acknowledged of a row is not known.",
            hint="Write `changes: {by: compare, keep: 30d}` in its file: runs from then on are remembered.",
        )
    [column] = sync.stream(ROWS).identifier
    batch = pa.record_batch({column: [identifier], ROW_NUMBER: pa.array([1], pa.int64())})
    text = kind_of(sync).as_sent(batch, sync, ROWS).keys
    of = keyed(sync, ROWS, secret_of(home.path))
    high, low = (int(fingerprints(text, subkey(of.secret, "key", half, *of.identity))[0]) for half in ("high", "low"))
    snapshot = snapshot_of(store, sync.name)
    generations = Generations(home.snapshots / sync.name, storage_from_environment())
    chain = list(generations.chain(snapshot.generation, snapshot.made_by))
    with TemporaryDirectory(prefix="reverse-etl-") as folder, scratch_database(Path(folder)) as database:
        return history_of(generations, chain, ROWS, (high, low), database)
