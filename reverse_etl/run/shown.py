"""Keys and values of what was acknowledged, as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from reverse_etl.destinations.powers import ShowsTexts
from reverse_etl.run.acknowledged import known_by_attribute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reverse_etl.config.syncs import SyncConfig


def shown_key(sync: SyncConfig, stream: str, key: str) -> str:
    """What names a row, of several columns with a comma between; ``key`` is as ``AsSent`` has it."""
    [row] = known_by_attribute(sync).rows_of(pa.array([key]), {}, sync, stream).to_pylist()
    return ", ".join(map(str, row.values()))


def shown_texts(
    sync: SyncConfig, attributes: Mapping[str, tuple[str | None, str | None]]
) -> dict[str, tuple[str | None, str | None]]:
    """Old and new texts of attributes."""
    kind = known_by_attribute(sync)
    if not isinstance(kind, ShowsTexts):
        return dict(attributes)

    def shown(text: str | None) -> str | None:
        return None if text is None else kind.shown_text(text)

    return {name: (shown(old), shown(new)) for name, (old, new) in attributes.items()}
