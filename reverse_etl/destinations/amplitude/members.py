"""Rows as members of a cohort: a user's id, and whether the user is to be taken out.

{"id":"user-1"}
{"id":"user-1","remove":true}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from reverse_etl.changeset.columns import attribute_columns, deleted_rows
from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.config.streams import ROWS
from reverse_etl.destinations._http.json_text import as_items, identifier_text, joined
from reverse_etl.destinations.base import Accepted, TryAgain
from reverse_etl.destinations.left_out import ALREADY_GONE, LeftOut
from reverse_etl.report import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reverse_etl.destinations.amplitude.sync import Outgoing

_UNKNOWN: Final = Reason("unknown_user", "", "Amplitude has no user with this id yet, so that it cannot be a member.")


def members(batch: pa.RecordBatch, sync: Outgoing) -> list[bytes]:
    """Encodes each row of a batch (with ``ROW_NUMBER``), in order; as long as the batch."""
    name = sync.amplitude.identify_by
    key = pc.fill_null(identifier_text(batch.column(name), batch.schema.field(name)), '""')
    there = joined('{"id":', key, "}")
    if sync.gone(ROWS) is None:
        return as_items(there)
    return as_items(pc.if_else(deleted_rows(batch), joined('{"id":', key, ',"remove":true}'), there))


def superfluous(names: Iterable[str], sync: Outgoing) -> tuple[str, ...]:
    """Columns of the rows that a member does not have."""
    return attribute_columns([name for name in names if name != ROW_NUMBER], sync.stream(ROWS))


@dataclass(frozen=True, slots=True)
class Changes:
    """What one request changes.

    Attributes:
        ids: Of each item.
        places: Of the items that are added, and of those that are taken out.
    """

    ids: Sequence[str]
    places: dict[str, list[int]]

    @classmethod
    def of(cls, items: Sequence[bytes]) -> Changes:
        """Reads items as ``members`` makes them."""
        rows = [orjson.loads(item) for item in items]
        places: dict[str, list[int]] = {"ADD": [], "REMOVE": []}
        for place, row in enumerate(rows):
            places["REMOVE" if row.get("remove") else "ADD"].append(place)
        return cls([str(row["id"]) for row in rows], {name: found for name, found in places.items() if found})

    def as_json(self) -> list[dict[str, Any]]:
        """The request's ``memberships``."""
        return [
            {"ids": [self.ids[place] for place in places], "id_type": "BY_NAME", "operation": operation}
            for operation, places in self.places.items()
        ]

    def answer(self, read: Any) -> Accepted | TryAgain:
        """What an answer of 200 says of each item: those whose ids Amplitude does not know are left out.

        An answer that does not tell of each operation settles nothing: a change that is repeated changes nothing.
        """
        results = read.get("memberships_result") if isinstance(read, dict) else None
        if not isinstance(results, list) or len(results) != len(self.places):
            return TryAgain("HTTP 200 without a result for each operation")
        left: list[LeftOut] = []
        for result, (operation, places) in zip(results, self.places.items(), strict=True):
            skipped = result.get("skipped_ids") if isinstance(result, dict) else None
            if not isinstance(skipped, list) or result.get("operation", operation) != operation:
                return TryAgain("HTTP 200 without a result for each operation")
            ids = {str(each) for each in skipped}
            if not ids <= {self.ids[place] for place in places}:
                return TryAgain("HTTP 200 about users who were not in the request")
            why = _UNKNOWN if operation == "ADD" else ALREADY_GONE
            left += [LeftOut(place, why) for place in places if self.ids[place] in ids]
        return Accepted(excluded=tuple(sorted(left)))
