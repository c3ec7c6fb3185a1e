"""Event ids are ULIDs as others read them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from ulid import ULID

from reverse_etl.destinations.customerio.ulids import event_ids


@settings(max_examples=50)
@given(st.lists(st.tuples(st.binary(max_size=20), st.integers(0, 2**48 - 1)), max_size=10))
def test_ids_are_ulids_of_their_time(events: list[tuple[bytes, int]]) -> None:
    """Another library reads the same time, and the same 16 bytes."""
    times = np.array([at_ms for _, at_ms in events], np.int64)
    said = event_ids("shop", [key for key, _ in events], times).to_pylist()
    assert [at_ms for _, at_ms in events] == [ULID.from_str(text).milliseconds for text in said]
    assert said == [str(ULID.from_bytes(bytes(ULID.from_str(text)))) for text in said]


def test_an_id_never_changes() -> None:
    """The ids of events sent by earlier versions; a change here would double every event that is sent again."""
    times = np.array([1_767_614_400_250, -5, 2**50], np.int64)
    expected = ["01KE70EHQTPAJX3J3NGPMXSKTZ", "0000000000CPV13V332K2ABB7F", "7ZZZZZZZZZEQMNKQQGA1K8ADHN"]
    assert expected == event_ids("shop", [b"a", b"b", b"c"], times).to_pylist()


def test_different_keys_and_syncs_have_different_ids() -> None:
    """10,000 keys at one instant in two syncs: 20,000 ids."""
    keys = [b"%d" % n for n in range(10_000)]
    times = np.full(len(keys), 1_767_614_400_000, np.int64)
    ids = {*event_ids("shop", keys, times).to_pylist(), *event_ids("s" * 200, keys, times).to_pylist()}
    assert 20_000 == len(ids)
