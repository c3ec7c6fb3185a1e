"""Which attributes of a row go into what is sent of it, read beside the rows, a row group at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from reverse_etl.changes.row_groups import row_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reverse_etl.changeset.parts import Parts

    Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]
    Marks = np.ndarray[tuple[int, int], np.dtype[np.uint8]]

CHANGED_FILE: Final = "changed_attributes.parquet"

CHOSEN: Final = ord("1")
"""The attribute is sent; where the row has no value for it, it is cleared."""
LEFT_OUT: Final = ord("0")
AS_IT_IS: Final = ord("-")
"""The attribute is sent as the row has it."""


def marks_of(parts: Parts, attributes: int, *, file: str = CHANGED_FILE) -> Iterator[tuple[Numbers, Marks]]:
    """Row numbers, ascending, and a mark for each attribute of these rows; a row group at a time.

    Args:
        parts: The rows.
        attributes: How many there are.
        file: Which file of the stream's folder has them.
    """
    path = parts.folder / file
    for batch in row_groups(path) if path.exists() else ():
        texts = batch.column("attributes")
        _, offsets, data = texts.buffers()
        first = int(np.frombuffer(offsets, np.int32)[texts.offset])
        flat = np.frombuffer(data or b"", np.uint8)[first : first + batch.num_rows * attributes]
        yield batch.column("row").to_numpy(), flat.reshape(batch.num_rows, attributes)


class ChosenAttributes:
    """What is sent of rows that are asked for in order.

    Args:
        parts: The rows.
        names: All attributes, in the order of their marks.
        chosen: Those of them that are not sent of every row.
    """

    def __init__(self, parts: Parts, names: Sequence[str], chosen: Sequence[str]) -> None:
        self._places = {name: place for place, name in enumerate(names) if name in set(chosen)}
        self._groups = marks_of(parts, len(names))
        self._numbers: Numbers = np.zeros(0, np.int64)
        self._marks: Marks = np.zeros((0, len(names)), np.uint8)

    def of(self, numbers: Numbers) -> dict[str, pa.BooleanArray]:
        """Whether each attribute is sent, as long as the rows; null where it is sent as the row has it.

        Args:
            numbers: Of rows, ascending, and after those that were asked for before.
        """
        if len(numbers):
            self._read_to(int(numbers[0]), int(numbers[-1]))
        places = np.searchsorted(self._numbers, numbers)
        there = np.zeros(len(numbers), np.bool_)
        within = places < len(self._numbers)
        there[within] = self._numbers[places[within]] == numbers[within]
        marks = np.full((len(numbers), self._marks.shape[1]), AS_IT_IS, np.uint8)
        marks[there] = self._marks[places[there]]
        return {
            name: pa.array(marks[:, place] == CHOSEN, mask=marks[:, place] == AS_IT_IS)
            for name, place in self._places.items()
        }

    def _read_to(self, first: int, last: int) -> None:
        still = self._numbers >= first
        self._numbers, self._marks = self._numbers[still], self._marks[still]
        while not len(self._numbers) or self._numbers[-1] < last:
            numbers, marks = next(self._groups, (None, None))
            if numbers is None or marks is None:
                return
            self._numbers = np.concatenate((self._numbers, numbers))
            self._marks = np.concatenate((self._marks, marks))
