"""Turns at a workspace's rate limit are one queue, whoever asks, wherever the state lies."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from reverse_etl.errors import StateError
from reverse_etl.state.rate_slots import RateSlots
from reverse_etl.state.schema import PACE
from reverse_etl.state.store import Store


def test_turns_follow_each_other_across_processes(store: Store, state_url: str) -> None:
    """Ten turns of the one, then ten of the other: the other's begin when the first one's end."""
    one, other = RateSlots(state_url, "main"), RateSlots(state_url, "main")
    # A turn takes ten seconds: what passes between two questions is little beside it, however busy the machine is.
    assert 0 == one.reserve(10, 0.1)
    assert other.reserve(10, 0.1) == pytest.approx(100, abs=30)
    assert one.reserve(1, 0.1) == pytest.approx(200, abs=60)


def test_no_turn_is_given_twice(store: Store, state_url: str) -> None:
    """Forty reservations at once: forty times five intervals lie between the first free turn and the last."""
    paces = [RateSlots(state_url, "main") for _ in range(4)]
    began = time.time()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: paces[number % 4].reserve(5, 100), range(40)))
    with store.reading() as connection:
        next_at = connection.execute(sa.select(PACE.c.next_at)).scalar_one()
    assert 40 * 5 / 100 <= next_at - began + 0.01


def test_workspaces_do_not_wait_for_each_other(store: Store, state_url: str) -> None:
    """Each has a row of its own."""
    RateSlots(state_url, "main").reserve(50, 1)
    assert RateSlots(state_url, "other").reserve(1, 1) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("off_s", [-3600, 3600])
def test_a_clock_that_was_wrong_is_not_believed(store: Store, state_url: str, off_s: float) -> None:
    """A next turn an hour away, or an hour ago, is now."""
    pace = RateSlots(state_url, "main")
    with store.writing() as connection:
        connection.execute(sa.insert(PACE).values(workspace="main", next_at=time.time() + off_s))
    assert pace.reserve(1, 100) == pytest.approx(0, abs=0.05)


def test_a_database_that_is_gone_is_an_error_at_once(tmp_path: Path) -> None:
    """As a StateError, which the sender lives with."""
    with pytest.raises(StateError):
        RateSlots(f"sqlite:///{tmp_path / 'none' / 'state.db'}", "main").reserve(1, 100)
    with pytest.raises(StateError, match="cannot be used"):
        RateSlots("nonsense", "main")
