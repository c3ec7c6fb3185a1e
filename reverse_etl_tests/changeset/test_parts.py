"""The stored rows of a stream, as what comes after the checks reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reverse_etl.changeset.parts import ROW_NUMBER, Parts, with_row_numbers
from reverse_etl.report import Outcome


def test_of_a_part_without_rows_to_send_only_the_numbers_are_read(tmp_path: Path) -> None:
    """Its other columns may be gone; of other parts the rows to send come in order."""
    parts = Parts(tmp_path / "rows", "rows")
    parts.write(with_row_numbers(pa.table({"id": ["1", "2", "3", "4", "5"]}).to_batches(max_chunksize=2)))
    outcomes = np.array([Outcome.UNCHANGED, Outcome.REJECTED, Outcome.DELIVERED, *[Outcome.UNDELIVERED] * 2], np.uint8)
    first = parts.path(0)
    pq.write_table(pq.read_table(first, columns=[ROW_NUMBER]), first)
    assert [["4"], ["5"]] == [batch.column("id").to_pylist() for batch in parts.sendable(outcomes)]
