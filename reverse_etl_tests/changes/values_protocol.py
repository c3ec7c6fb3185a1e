"""The same histories where values are remembered: of a row that changed, what differs from them is sent alone.

A plan that is NULL is not sent, so the one before it stays in the destination; a row may say of itself that it is gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from reverse_etl.changes.chosen import LEFT_OUT, marks_of
from reverse_etl.changes.compare import parquet
from reverse_etl.changes.compared import compared
from reverse_etl.changes.values import UNKNOWN, column, latest_values
from reverse_etl.config.streams import ROWS
from reverse_etl.files.scratch import scratch_in
from reverse_etl.run.acknowledged import generations_of
from reverse_etl.run.record import SyncRun
from reverse_etl.state.snapshots import snapshot_of
from reverse_etl_tests.changes.protocol import Histories, Reading, Row
from reverse_etl_tests.destinations.customerio.configs import sync

WRONG_VALUE: Final = "a value counts as acknowledged that is not in the destination"
BYE: Final = "bye"
"""The plan of a row that says that it is gone."""

_PEOPLE: Final[dict[str, Any]] = {"identify_by": "id", "empty_values": "ignore", "send": "changed_attributes"}
_GONE: Final = {"gone": "delete", "gone_wait": "0s", "gone_max": "100%", "gone_max_rows": 1_000}
_SCHEMA: Final = pa.schema([("id", pa.string()), ("plan", pa.string()), ("deleted", pa.bool_())])


@dataclass(slots=True)
class ValueHistories(Histories):
    """One sequence of runs; what is remembered of each value is compared with what is there after every run."""

    removes: bool = True
    plans: tuple[str | None, ...] = ("free", "pro", None, None, BYE)
    _left_out: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        super(ValueHistories, self).__post_init__()
        self._sync = sync(people=_PEOPLE | _GONE, changes={"by": "compare"})

    def _is_wrong(self, key: str, plan: str | None) -> bool:
        if plan == BYE:
            return False
        return key not in self.there or (plan is not None and self.there[key] != plan)

    def _batch(self, rows: list[Row]) -> pa.RecordBatch:
        found = [{"id": key, "plan": None if plan == BYE else plan, "deleted": plan == BYE} for key, plan in rows]
        return pa.RecordBatch.from_pylist(found, _SCHEMA)

    def _send(self, run: SyncRun, reading: Reading) -> None:
        found = compared(run.folder)
        names = found.values[ROWS].names if found is not None else ()
        self._left_out = set()
        for numbers, marks in marks_of(run.folder.parts(ROWS), len(names)):
            left_out = marks[:, names.index("plan")] == LEFT_OUT if "plan" in names else numbers > 0
            self._left_out |= {id(reading.rows[number - 1]) for number in numbers[left_out].tolist()}
        super(ValueHistories, self)._send(run, reading)

    def _apply(self, reading: Reading, row: Row) -> None:
        key, plan = row
        before = self.there.get(key)
        super(ValueHistories, self)._apply(reading, row)
        if plan == BYE:
            self.there.pop(key)
        elif plan is None or id(row) in self._left_out:
            self.there[key] = before

    def _check_store(self) -> None:
        snapshot = snapshot_of(self._store, self._sync.name)
        generations = generations_of(self._record("look"))
        made = generations.made(snapshot.generation, snapshot.made_by) if snapshot.made_by else None
        files = generations.needed_values(made, ROWS) if made is not None else []
        if snapshot.sending or made is None or "plan" not in made.attributes.get(ROWS, []):
            return
        names = made.attributes[ROWS]
        with scratch_in(self.home.path / "look") as database:
            known = parquet(generations.stream(snapshot.generation, ROWS))
            values = f"{latest_values(files, names, database)} SEMI JOIN {known} USING (kh, kl)"
            found = database.execute(f"SELECT key, {column(names.index('plan'))} FROM {values}").fetchall()
        for key, text in found:
            there = self.there.get(key.strip('"'))
            # Without a text nothing is claimed: the value is sent when there is one.
            if text not in (None, UNKNOWN, f'"{there}"'):
                self.harm.append(f"{key}: {WRONG_VALUE}")
