"""Old rows that a person confirms: what a plan has of them, counted again for whoever is asked about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reverse_etl.config.streams import ROWS
from reverse_etl.destinations import kind
from reverse_etl.destinations.request_powers import Backfill, Backfills

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.config.syncs import SyncConfig


def backfill_of(sync: SyncConfig, folder: RunFolder) -> Backfill | None:
    """What is to be confirmed of rows that were checked; None where a run of any kind sends them."""
    facts, power = folder.facts(), kind(sync.DESTINATION)
    if facts is None or not facts.backfill or not isinstance(power, Backfills):
        return None
    parts = folder.parts(ROWS)
    to_send = parts.sendable(folder.outcomes(ROWS))
    found: Backfill = power.old_rows(to_send, sync, started_at=facts.started_at, scratch=folder.path / "scratch")
    return found if found.old else None
