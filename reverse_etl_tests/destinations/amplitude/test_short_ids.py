"""Ids that are shorter than a project takes never reach Amplitude, which refuses a whole request for one of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.destinations.amplitude.destination import opened
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.amplitude.configs import project, sync

IDS = ["abcd", "abcde", "üüüü", "üüüüü", "🎉"]


def kept_back(ids: list[Any], section: dict[str, Any], **settings: Any) -> list[tuple[list[int], Outcome, str, str]]:
    """The numbers of the rows with these ids that are kept back, and why; nothing is asked."""
    column = section.get("identify_by", section.get("group_type", "user_id"))
    batch = pa.RecordBatch.from_pydict({ROW_NUMBER: [*range(1, len(ids) + 1)], column: ids})

    async def found() -> list[tuple[list[int], Outcome, str, str]]:
        async with opened(sync(**section), project("http://127.0.0.1:1", **settings)) as destination:
            kept = await destination.kept_back(batch, "rows")
            return [(each.rows.to_pylist(), each.outcome, each.why.reason, each.why.field) for each in kept]

    return asyncio.run(found())


@pytest.mark.parametrize("section", [{}, {"identify_by": "device_id"}, {"send": "events", "event_type": "e"}])
def test_short_ids_are_rejected_before_they_are_sent(section: dict[str, Any]) -> None:
    """By their characters, and not their bytes."""
    column = section.get("identify_by", "user_id")
    assert [([1, 3, 5], Outcome.REJECTED, "invalid_id_length", column)] == kept_back(IDS, section)


def test_the_shortest_is_the_projects() -> None:
    """With a setting of one character all are taken; numbers have as many as their digits."""
    assert [] == kept_back(IDS, {}, min_id_length=1)
    assert [([1], Outcome.REJECTED, "invalid_id_length", "user_id")] == kept_back([999, 1000], {}, min_id_length=4)


def test_names_of_groups_are_of_any_length() -> None:
    """The setting is about users and devices."""
    assert [] == kept_back(IDS, {"send": "group_properties", "group_type": "company"})
