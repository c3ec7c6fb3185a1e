"""The lines of rows that a run ended before: whatever ends it, each of them is a failed row with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reverse_etl.changeset.parts import count
from reverse_etl.errors import CheckFailedError
from reverse_etl.report import CANCELED, STOPPED, Cause, Reason, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from reverse_etl.changeset.parts import RunFolder
    from reverse_etl.config.streams import Stream
    from reverse_etl.config.syncs import SyncConfig

_STOPPED_BY_CHECK: Final = Cause("delivery", Reason("stopped", "", "a check stopped the run: no row was sent."))


def write_undelivered(sync: SyncConfig, folder: RunFolder, *, status: Status, exit_code: int) -> None:
    """Writes the lines of rows without an outcome where the stage that ended the run has not done so.

    Args:
        sync: The sync.
        folder: The run's folder, in which no other process works.
        status: How the run ended.
        exit_code: What its command ends with.

    Raises:
        StateError: The folder cannot be written.
    """
    from reverse_etl.ledger.ledger import Ledger

    if status is Status.CANCELED:
        cause = CANCELED
    else:
        cause = _STOPPED_BY_CHECK if exit_code == CheckFailedError.exit_code else STOPPED
    sent = folder.sent()
    named = [(stream.name, stream) for stream in sync.streams]
    named += [(stream.gone, stream) for stream in sync.streams if stream.gone in sent]
    for name, stream in named:
        parts = folder.parts(name)
        if name == stream.name and not parts.checked:
            # The checks were interrupted: what they had found so far is not what they would have found.
            parts.forget_outcomes()
        outcomes = parts.outcomes(sent[name])
        counts = count(outcomes)
        if counts.undelivered and counts.failed != parts.failed_count():
            ledger = Ledger(parts, outcomes, identified(stream), identified_by=stream.identifier)
            ledger.close(cause)


def identified(stream: Stream) -> Callable[[pa.RecordBatch, str], pa.StringArray]:
    """The identifiers of a stream's failed rows, where no destination is open to give them."""
    from reverse_etl.changeset.columns import identifiers

    return lambda batch, _: identifiers(batch, stream)
