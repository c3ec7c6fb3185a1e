"""Where it is kept what a sync sent before, for a destination that asks for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from reverse_etl.destinations.request_powers import RemembersSent

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import Facts, RunFolder
    from reverse_etl.config.syncs import OutgoingRows


def remember_sent(destination: object, sync: OutgoingRows, folder: RunFolder, facts: Facts, *, state_url: str) -> None:
    """Gives a destination that remembers its keys the place for them. Raises StateError."""
    from reverse_etl.state.sent_keys import SentKeys

    if isinstance(destination, RemembersSent) and destination.remembers_for_s:
        counted_for = timedelta(seconds=destination.remembers_for_s)
        began_at = datetime.fromtimestamp(facts.started_at, UTC)
        destination.remember(
            SentKeys(state_url, sync.name, changeset=folder.path.name, began_at=began_at, counted_for=counted_for)
        )
