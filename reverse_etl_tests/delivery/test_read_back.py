"""Rows that were accepted and not applied are failed rows like those that were refused at once."""

# ruff: noqa: ARG002
# Test doubles answer without looking at what they are given.

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from reverse_etl.changeset.facts import Facts, StreamFacts
from reverse_etl.changeset.parts import ROW_NUMBER, Outcomes, Parts, RunFolder, with_row_numbers
from reverse_etl.changeset.recipient import Recipient
from reverse_etl.changeset.scope import Reads
from reverse_etl.config.streams import Stream
from reverse_etl.delivery import read_back
from reverse_etl.destinations.base import KeptBack
from reverse_etl.destinations.powers import Window
from reverse_etl.report import Outcome, Reason
from reverse_etl_tests.delivery.workspaces import Blocking


class NotApplied(Blocking):
    """A destination that accepted every row and did not apply the second."""

    reads_back = True
    recipient = Recipient("somewhere")

    def __init__(self) -> None:
        super().__init__(1)
        self.read: list[list[str]] = []

    def identifiers(self, batch: pa.RecordBatch, query: str) -> pa.StringArray:
        """The ids, wherever they stand."""
        self.read.append(batch.schema.names)
        return batch.column("id")

    async def prepare(self) -> None:
        """Nothing."""

    async def activity_window(self) -> Window:
        """From the beginning."""
        return Window(0, frozenset())

    async def read_activities(self, window: Window, *, at_once: bool = False) -> tuple[list[Any], bool]:
        """One."""
        return [Reported()], True

    def not_applied(self, parts: Parts, outcomes: Outcomes, found: list[Any]) -> Iterator[KeptBack]:
        """The second row."""
        yield KeptBack(pa.array([2], pa.int64()), Outcome.REFUSED, Reason("Failed Event", "", "not applied."))


class Reported:
    """What says so."""

    id, at = "1", 1


def test_rows_that_were_not_applied_are_called_by_their_identifiers_alone(tmp_path: Path) -> None:
    """Other columns, which may be many and wide, are not read again for it."""
    folder, workspace = RunFolder(tmp_path), NotApplied()
    stream = Stream(name="rows", query="", identifier=("id",))
    parts = folder.parts(stream.name)
    parts.write(with_row_numbers([pa.record_batch({"plan": ["a", "b"], "id": ["1", "2"]})]))
    parts.write_outcomes(np.full(2, Outcome.DELIVERED, np.uint8))
    folder.seal(Facts("people", 0, 0, {stream.name: StreamFacts(2)}))

    async def look() -> None:
        await read_back.begin(workspace, folder)
        await read_back.finish(workspace, folder, [stream])

    asyncio.run(look())
    assert [["id", ROW_NUMBER]] == workspace.read
    (row,) = folder.failed()
    assert (2, "rows", "2", "read_back", "Failed Event") == (
        row.row_number, row.query, row.identifier, row.stage, row.why.reason,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reads", "which"),
    [(Reads.CHANGES, "run"), (Reads.FULL, "run that sends rows"), (Reads.RETRY, "run that sends rows")],
)
def test_a_run_that_ended_before_the_second_look_names_the_command_that_looks(
    tmp_path: Path, reads: Reads, which: str
) -> None:
    """A run that continues it looks whether or not a row is left to send."""
    folder = RunFolder(tmp_path)
    folder.seal(Facts("people", 0, 0, {}, reads=reads))
    asyncio.run(read_back.begin(NotApplied(), folder))
    said = read_back.not_verified(folder, "people")
    assert said.endswith(f"activities were read. The next {which} reads them: reverse-etl run people")
