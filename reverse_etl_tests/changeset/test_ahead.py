"""Batches are worked on beside the one that is looked at, in order, and no thread outlives its iterator."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from reverse_etl.changeset.ahead import in_order, of_batches
from reverse_etl.changeset.parts import ROW_NUMBER, Parts


def threads() -> list[str]:
    """The names of the threads that work ahead."""
    return [each.name for each in threading.enumerate() if each.name.startswith("ahead")]


def test_results_come_in_the_order_of_their_items() -> None:
    """Also where the first takes longest: it waits for the second to have begun."""
    begun = threading.Event()

    def waits(item: int) -> int:
        if item == 0:
            assert begun.wait(60)
        begun.set()
        return item

    assert [*range(9)] == list(in_order(waits, range(9)))
    assert [] == list(in_order(waits, []))
    assert [] == threads()


def test_items_are_not_taken_before_they_are_needed() -> None:
    """Of many, two at a time, so memory does not grow with their number."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = in_order(str, items())
    assert ["0", "1"] == [next(results), next(results)]
    assert 3 == len(taken)
    results.close()  # type: ignore[attr-defined]
    assert (3, []) == (len(taken), threads())


def test_an_error_comes_in_the_place_of_its_item() -> None:
    """What was made before it is given first; what comes after it is not made, and no thread is left."""
    made: list[int] = []

    def divided(item: int) -> float:
        made.append(item)
        return 1 / (3 - item)

    results = in_order(divided, range(100))
    assert 3 == len([next(results) for _ in range(3)])
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert max(made) <= 4
    assert [] == threads()


def test_an_error_of_the_items_leaves_no_thread() -> None:
    """It is raised once they are asked for, whatever was begun."""

    def items() -> Iterator[int]:
        yield 1
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        list(in_order(str, items()))
    assert [] == threads()


def test_each_part_is_a_batch(tmp_path: Path) -> None:
    """With the columns that are asked for; a part without rows is one, too."""
    parts = Parts(tmp_path / "rows", "rows")
    batch = pa.record_batch({"id": ["a", "b"], "plan": ["x", "y"], ROW_NUMBER: pa.array([1, 2], pa.int64())})
    parts.write([batch, batch.slice(0, 0), batch])
    assert [batch, batch.slice(0, 0), batch] == list(of_batches(parts, lambda each: each))
    found = of_batches(parts, lambda each: (each.schema.names, each.num_rows), ["plan"])
    assert [(["plan", ROW_NUMBER], rows) for rows in (2, 0, 2)] == list(found)
