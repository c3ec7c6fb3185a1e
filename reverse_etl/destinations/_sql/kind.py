"""What every database gives as a kind of destination, whatever its engine: ``base.Kind``, and ``powers.Compares``."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from reverse_etl.errors import MissingDriverError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from reverse_etl.changeset.recipient import Recipient
    from reverse_etl.destinations._sql.config import TableTarget
    from reverse_etl.destinations._sql.sync import TableRows
    from reverse_etl.destinations.first_sync import Asks, FirstRows
    from reverse_etl.destinations.powers import AsSent, KeysLike
    from reverse_etl.pacing.rate_limit import Clock
    from reverse_etl.pacing.retry import Patience


def at_address(config: TableTarget) -> Recipient:
    """The database at its address. It is not asked: another one restored behind the same address is taken for it."""
    from reverse_etl.changeset.recipient import Recipient

    return Recipient.at(*config.whereabouts)


async def ask(config: TableTarget, *, clock: Clock | None = None) -> Recipient:  # noqa: ARG001 - there is nothing to wait for
    """The same: it is known without asking."""
    return at_address(config)


async def ask_once(config: TableTarget, *, clock: Clock | None = None) -> Recipient | None:  # noqa: ARG001 - likewise
    """The same."""
    return at_address(config)


def first_rows(asks: Asks, there: Mapping[str, Sequence[str]]) -> FirstRows:
    """The table and its key, asked of a person."""
    from reverse_etl.destinations._sql.questions import first_rows

    return first_rows(asks, there)


def shown(batch: pa.RecordBatch, sync: TableRows, stream: str) -> list[bytes]:  # noqa: ARG001 - one of its streams
    """Each row as JSON, by column: what is compared with the table."""
    from reverse_etl.destinations._sql.preview import shown

    return shown(batch)


def as_sent(batch: pa.RecordBatch, sync: TableRows, stream: str) -> AsSent:  # noqa: ARG001 - it has one
    """The key of each row, and its values."""
    from reverse_etl.destinations._sql.compared import as_sent

    return as_sent(batch, sync)


def identity(sync: TableRows, stream: str) -> tuple[str, ...]:  # noqa: ARG001 - it has one
    """The table and its key."""
    return (sync.rows.table, *sync.rows.identify_by)


def shape(sync: TableRows, stream: str) -> str:  # noqa: ARG001 - it has one
    """How rows are written."""
    from reverse_etl.destinations._sql.config import NOT_WRITTEN

    return sync.rows.model_dump_json(exclude=set(NOT_WRITTEN))


def forgets_after_s(sync: TableRows, stream: str) -> int | None:  # noqa: ARG001 - rows may return
    """Never."""
    return None


def cleared(sync: TableRows, stream: str) -> str | None:  # noqa: ARG001 - it has one
    """NULL. Rows that are only added are not known: the table has several of a key."""
    from reverse_etl.destinations._sql.compared import NULL

    return None if sync.rows.write == "append" else NULL


def shown_text(text: str) -> str:
    """A value as the table has it; ``null`` for none."""
    from reverse_etl.destinations._sql.compared import shown_text

    return shown_text(text)


def lasting(sync: TableRows, stream: str) -> tuple[str, ...]:  # noqa: ARG001 - any can be NULL
    """None: what may not be NULL is found when it is written."""
    return ()


def overwrites(sync: TableRows, stream: str) -> bool:  # noqa: ARG001 - it has one
    """A row is written whole; unless NULL keeps what is there."""
    return sync.rows.empty_values == "write"


def rows_of(
    keys: pa.StringArray,
    texts: Mapping[str, pa.StringArray],
    sync: TableRows,
    stream: str,  # noqa: ARG001 - it has one
) -> pa.RecordBatch:
    """Rows with these keys and values."""
    from reverse_etl.destinations._sql.compared import rows_of

    return rows_of(keys, texts, sync)


def keys_like(identifier: str, sync: TableRows, stream: str) -> KeysLike:  # noqa: ARG001 - it has one
    """The key that is shown so."""
    from reverse_etl.destinations._sql.compared import keys_like

    return keys_like(identifier, sync)


def require_driver(config: TableTarget, module: str) -> None:
    """Raises MissingDriverError where a driver is not installed, which the extra of the engine's name has."""
    parent = module.partition(".")[0]
    if importlib.util.find_spec(parent) is None or importlib.util.find_spec(module) is None:
        raise MissingDriverError(
            f"{config.label}: the driver {module} is not installed.",
            hint=f'Run: pip install "reverse-etl[{config.type}]"',
        )


def patience_of(config: TableTarget, clock: Clock | None) -> Patience:
    """A retry budget of its own, from the environment."""
    from reverse_etl.pacing.retry import Patience

    return Patience.of_run(config.label, clock)
