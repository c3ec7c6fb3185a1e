"""What counts as sent: by other runs, for so long, in doubt or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reverse_etl.state.sent_keys import SentKeys, forget_old_keys
from reverse_etl.state.store import Store
from reverse_etl_tests.state.conftest import NOON

WEEK = timedelta(weeks=1)


def keys_of(url: str, changeset: str, at: datetime = NOON, *, sync: str = "alerts") -> SentKeys:
    """What a run at a time sees."""
    return SentKeys(url, sync, changeset=changeset, began_at=at, counted_for=WEEK, now=lambda: at)


def test_a_key_counts_for_other_runs_from_before_it_leaves(state_url: str, store: Store) -> None:
    """In doubt until it is settled; a run that continues knows its own rows otherwise; other syncs have their own."""
    first, second = keys_of(state_url, "r1"), keys_of(state_url, "r2")
    first.keep([f"k{number}" for number in range(1_200)])
    first.settle(["k1"])
    first.forget(["k2"])
    assert (1_198, frozenset({"k1"})) == (len(second.doubts()), second.known())
    assert {int(NOON.timestamp())} == {*second.doubts().values()}
    assert {} == first.doubts()
    assert {} == keys_of(state_url, "r3", sync="other").doubts()


def test_a_key_counts_for_so_long(state_url: str, store: Store) -> None:
    """Then it may be sent again, and is forgotten; what another run sent since is not taken back by the first."""
    first, later = keys_of(state_url, "r1"), NOON + WEEK + timedelta(seconds=1)
    first.keep(["k1", "k2"])
    second = keys_of(state_url, "r2", later)
    assert {} == second.doubts()
    second.keep(["k1"])
    first.forget(["k1", "k2"])
    assert {"k1"} == {*keys_of(state_url, "r3", later).doubts()}
    first.keep(["k2"])
    forget_old_keys(store, later.astimezone(UTC))
    assert {"k1"} == {*keys_of(state_url, "r3", NOON).doubts()}
