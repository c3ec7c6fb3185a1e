"""What a plan foretells of a delivery: its requests, and the rows that a service says beforehand it would not take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reverse_etl.changeset.parts import count
from reverse_etl.config.streams import ROWS
from reverse_etl.delivery.estimate import Estimate, estimate
from reverse_etl.delivery.removal import removal
from reverse_etl.destinations.request_powers import Foretells, LooksAtAll
from reverse_etl.destinations.tables import TableDestination
from reverse_etl.errors import CheckFailedError
from reverse_etl.report import Outcome
from reverse_etl.run.narrowed import items_of
from reverse_etl.run.sent import remember_sent

if TYPE_CHECKING:
    from reverse_etl.changeset.parts import Facts, Outcomes, RunFolder
    from reverse_etl.config.connections import DestinationConfig
    from reverse_etl.config.syncs import SyncConfig
    from reverse_etl.destinations.base import Destination
    from reverse_etl.report import Counts


@dataclass(slots=True)
class Foretold:
    """Of one stream.

    Attributes:
        counts: Its rows by outcome; those without one would be sent.
        size: What would be sent.
        rejected_by: Rows that the destination does not take, by reason.
        stopped: Why a run would send none of them, as far as the destination knows; empty where it would.
    """

    counts: Counts
    size: Estimate
    rejected_by: dict[str, int] = field(default_factory=dict)
    stopped: str = ""


async def foretold(
    folder: RunFolder, sync: SyncConfig, config: DestinationConfig, facts: Facts, *, ask: bool, state_url: str
) -> dict[str, Foretold]:
    """Each stream's, by its name; nothing is sent, and nothing of the folder changes.

    Args:
        folder: The plan's rows, checked.
        sync: Theirs.
        config: Where they would go.
        facts: How the rows were read.
        ask: Whether a service is asked that can say what it would not take.
        state_url: Of the state database, which has what was sent before.

    Raises:
        DestinationError: It was asked, and cannot take what the sync sends, or gives no usable answer.
        ConfigError: The sync needs what the destination does not have.
        StateError: What was sent before cannot be read.
    """
    from reverse_etl.destinations import kind

    schema = folder.parts(ROWS).schema()
    columns = schema.names if schema is not None else []
    found: dict[str, Foretold] = {}
    destination: Destination | TableDestination
    async with kind(config.type).open_destination(sync, config, columns) as destination:
        asked = ask and isinstance(destination, Foretells) and destination.only_reads
        stopped = ""
        if asked:
            remember_sent(destination, sync, folder, facts, state_url=state_url)
            await destination.prepare()
            stopped = await _stopped(destination, folder)
        for stream in sync.streams:
            outcomes = folder.outcomes(stream.name)
            reasons = await _kept_back(folder, stream.name, destination, outcomes) if asked else {}
            size = _size(folder, stream.name, destination, outcomes)
            if stream.gone in folder.removals():
                of_gone = folder.parts(stream.gone), folder.outcomes(stream.gone)
                size += estimate(*of_gone, removal(destination, stream.name))
            found[stream.name] = Foretold(count(outcomes), size, reasons, stopped)
    return found


async def _stopped(destination: Destination | TableDestination, folder: RunFolder) -> str:
    """Why a service would take no row at all, once it has looked at all of them."""
    if isinstance(destination, LooksAtAll):
        try:
            await destination.before_delivery(folder.parts(ROWS), folder.outcomes(ROWS))
        except CheckFailedError as error:
            return str(error)
    return ""


async def _kept_back(
    folder: RunFolder, stream: str, destination: Destination | TableDestination, outcomes: Outcomes
) -> dict[str, int]:
    """How many rows a service does not take, by reason; their outcomes are set."""
    reasons: Counter[str] = Counter()
    if isinstance(destination, TableDestination):
        return reasons
    for batch in folder.parts(stream).sendable(outcomes.copy()):
        for each in await destination.kept_back(batch, stream):
            places = each.rows.to_numpy() - 1
            # A row has its first reason alone.
            anew = places[outcomes[places] == Outcome.UNDELIVERED]
            outcomes[anew] = each.outcome
            if each.outcome is Outcome.REJECTED:
                reasons[each.why.label] += len(anew)
    return dict(+reasons)


def _size(folder: RunFolder, stream: str, destination: Destination | TableDestination, outcomes: Outcomes) -> Estimate:
    return estimate(folder.parts(stream), outcomes, destination, items_of(folder, stream, destination))
