"""Rows as messages, one item a row: JSON of where it goes, what it says, and by what it is known again.

    {"channel": "#at-risk", "text": "…", "blocks": […], "once": "…", "key": "…"}

``email`` stands in place of ``channel`` for a message to a person. ``key`` is of this row in this run, and travels with
the message; ``once`` is of the values of ``once_per``. Neither holds a value.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import key_columns
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.changeset.text import framed
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations._http.json_text import as_items, joined, quoted
from reverse_etl.destinations.powers import AsSent
from reverse_etl.destinations.slack.section import ByRow, OfColumn
from reverse_etl.destinations.slack.template import filled, filled_json, value_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reverse_etl.destinations._http.json_text import Text
    from reverse_etl.destinations.slack.section import Slack
    from reverse_etl.destinations.slack.sync import Outgoing

_DIGITS: Final = 16


def items(batch: pa.RecordBatch, sync: Outgoing, *, place: str, run_id: str, blocks: bool = True) -> list[bytes]:
    """Encodes each row of a batch (with ``ROW_NUMBER``), in order; as long as the batch.

    Args:
        batch: The rows.
        sync: What a message is.
        place: The destination's name.
        run_id: Of the run.
        blocks: Whether the layout is sent too.
    """
    pieces = _pieces(batch, sync.slack, blocks=blocks)
    if sync.slack.once_per:
        pieces += [',"once":"', pa.array(once_keys(batch, sync, place=place), pa.string()), '"']
    keys = [_hash(f"{run_id}:{number}") for number in batch.column(ROW_NUMBER).to_pylist()]
    return as_items(joined(*pieces, ',"key":"', pa.array(keys, pa.string()), '"}'))


def messages(batch: pa.RecordBatch, sync: Outgoing) -> list[bytes]:
    """The same without what a message is known by."""
    return as_items(joined(*_pieces(batch, sync.slack), "}"))


def as_sent(batch: pa.RecordBatch, sync: Outgoing) -> AsSent:
    """What two readings of a row are compared by: what tells its message from others, and the message."""
    names = key_columns(batch, sync.stream(ROWS))
    message = pa.array([each.decode() for each in messages(batch, sync)], pa.string())
    return AsSent(_framed(names), {"message": message}, None, names)


def texts(batch: pa.RecordBatch, section: Slack) -> pa.StringArray:
    """The text of each row's message, as it is sent."""
    message = section.message
    return filled(f"{{{{{message.column}}}}}" if isinstance(message, OfColumn) else message, batch)


def once_keys(batch: pa.RecordBatch, sync: Outgoing, *, place: str) -> list[str]:
    """A hash of each row's values of ``once_per``, of this sync at this destination alone."""
    start = f"{len(sync.name)}:{sync.name}{len(place)}:{place}"
    return [_hash(start + text) for text in _framed(key_columns(batch, sync.stream(ROWS))).to_pylist()]


def _framed(columns: Sequence[pa.StringArray]) -> pa.StringArray:
    texts = [framed(each) for each in columns]
    return pc.binary_join_element_wise(*texts, "") if len(texts) > 1 else texts[0]


def _pieces(batch: pa.RecordBatch, section: Slack, *, blocks: bool = True) -> list[Text | str]:
    """The JSON of each row's message without its end."""
    pieces: list[Text | str] = ["{", *_address(batch, section), '"text":', quoted(texts(batch, section))]
    if section.blocks is not None and blocks:
        pieces += [',"blocks":', *filled_json(section.blocks, batch)]
    return pieces


def _address(batch: pa.RecordBatch, section: Slack) -> tuple[Text | str, ...]:
    channel = section.channel
    if channel is None:
        return ()
    if isinstance(channel, ByRow):
        key, name = ("email", channel.email) if channel.email else ("channel", channel.column)
        return f'"{key}":', quoted(pc.utf8_trim_whitespace(value_text(batch, str(name)))), ","
    return '"channel":', quoted(pa.array([channel] * batch.num_rows, pa.string())), ","


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=_DIGITS).hexdigest()
