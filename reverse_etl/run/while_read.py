"""What a run does with rows while it reads further ones: it checks them, and makes what they are compared by."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from reverse_etl.changes.ahead import FingerprintedAhead
from reverse_etl.changes.secret import secret_of
from reverse_etl.changeset import while_read as seen
from reverse_etl.run.acknowledged import keyed, kind_of
from reverse_etl.run.remembers import compares

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from reverse_etl.changeset.ahead import ShownTo
    from reverse_etl.changeset.parts import Parts
    from reverse_etl.changeset.while_read import WhileRead
    from reverse_etl.run.record import SyncRun


@contextmanager
def while_read(run: SyncRun) -> Iterator[ShownTo]:
    """Looks at parts while the block reads them; gives what they are shown to.

    Args:
        run: The run, whose later stages are in this process, too.

    Raises:
        ConfigError: The secret of what is compared is missing or too short.
        StateError: It cannot be read.
    """
    from reverse_etl.checks import runner

    with ExitStack() as stack:
        looking: list[WhileRead[Any]] = [stack.enter_context(runner.while_read(run.sync, run.folder))]
        if compares(run.sync):
            looking.append(stack.enter_context(seen.while_read(_fingerprinted(run))))

        def show(parts: Parts, started_at: int, number: int, batch: pa.RecordBatch) -> None:
            for each in looking:
                each.see(parts, started_at, number, batch)

        yield show


def _fingerprinted(run: SyncRun) -> FingerprintedAhead:
    sync, secret = run.sync, secret_of(run.home.path)
    kind, names = kind_of(sync), [stream.name for stream in sync.streams]
    return FingerprintedAhead(
        sync,
        run.folder,
        {name: keyed(sync, name, secret) for name in names},
        {name: partial(kind.as_sent, sync=sync, stream=name) for name in names},
    )
