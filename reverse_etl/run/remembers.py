"""Whether a sync remembers what its destination acknowledged, and how much: known from its file alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reverse_etl.config.syncs import SyncConfig


def compares(sync: SyncConfig) -> bool:
    """Whether a sync sends only what differs from what was acknowledged: also of what a database's log names."""
    from reverse_etl.destinations import kind
    from reverse_etl.destinations.powers import Compares

    by = sync.changes.by
    return by == "compare" or (by == "log" and isinstance(kind(sync.DESTINATION), Compares))


def level(sync: SyncConfig) -> str:
    """What a sync remembers of acknowledged rows: ``hashes``, ``identifiers`` or ``values``; empty for nothing."""
    if not compares(sync):
        return ""
    if sync.remembers_values:
        return "values"
    return "identifiers" if any(sync.gone(stream.name) for stream in sync.streams) else "hashes"
