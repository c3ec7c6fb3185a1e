"""What runs changed of one row, as the destination acknowledged it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from reverse_etl.changes.generation import Generations
from reverse_etl.changes.history import Acknowledged, history_of
from reverse_etl.errors import ConfigError, StateError
from reverse_etl.files.scratch import scratch_database
from reverse_etl.files.storage import storage_from_environment
from reverse_etl.run.acknowledged import known_by_attribute, remembered_streams
from reverse_etl.run.shown import shown_texts
from reverse_etl.state.snapshots import snapshot_of

if TYPE_CHECKING:
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.state.home import Home
    from reverse_etl.state.store import Store


def history_of_key(sync: SyncConfig, home: Home, store: Store, identifier: str) -> list[Acknowledged]:
    """What was acknowledged of the rows with an identifier, in every stream, the newest run first.

    Args:
        sync: The sync.
        home: Where its files lie.
        store: The state.
        identifier: As failed rows show it.

    Raises:
        ConfigError: The sync remembers no values; or the identifier is empty.
        StateError: The files cannot be read, or some of them are missing or damaged.
    """
    if not sync.remembers_values:
        raise ConfigError(
            f"{sync.where} remembers no values, so what was acknowledged of a row is not known.",
            hint="Write `changes: {by: compare, keep: 30d}` in its file: runs from then on are remembered.",
        )
    if not identifier:
        raise ConfigError("an identifier is not empty.")
    kind = known_by_attribute(sync)
    snapshot = snapshot_of(store, sync.name)
    generations = Generations(home.snapshots / sync.name, storage_from_environment())
    chain = list(generations.chain(snapshot.generation, snapshot.made_by))
    streams = remembered_streams(sync)
    kept = (generations.own_is_whole(number, made, stream) for number, made in chain for stream in streams)
    lost = not chain and (bool(snapshot.made_by) or (not snapshot.generation and generations.are_here))
    if lost or not all(kept):
        raise StateError(
            f"what was acknowledged of a row of {sync.name} is not known: the files of its values, or the state that "
            "says which of them count, are missing or damaged.",
            hint=f"What is acknowledged from now on is remembered: reverse-etl run {sync.name} --full",
        ).located(sync.where)
    with TemporaryDirectory(prefix="reverse-etl-") as folder, scratch_database(Path(folder)) as database:
        found = [
            each
            for stream in streams
            for each in history_of(generations, chain, stream, kind.keys_like(identifier, sync, stream), database)
        ]
    found = [replace(each, attributes=shown_texts(sync, each.attributes)) for each in found]
    return sorted(found, key=lambda each: -each.at)
