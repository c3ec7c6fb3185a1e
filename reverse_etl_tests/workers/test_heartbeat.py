"""Signs of life: a run that gives none for too long stops by itself, before another takes its lease."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from reverse_etl.errors import StateError
from reverse_etl.state.workspace_lease import SILENT
from reverse_etl.workers import heartbeat


def away() -> bool:
    """A state database that does not answer."""
    raise StateError("the state database is away.", hint="Wait.")


def work(run_id: str, sign: Callable[[], bool], give_up_s: float = heartbeat.GIVE_UP_S) -> None:
    """Gives signs of life for ten seconds."""
    heartbeat.start(run_id, sign, every_s=0.01, give_up_s=give_up_s)
    threading.Event().wait(10)


def test_a_run_without_signs_of_life_is_interrupted() -> None:
    """As Ctrl-C would; also while a sign is under way, which may take as long as it likes. The reason is given once."""
    ended = threading.Event()
    for sign in (away, lambda: ended.wait(30)):
        with pytest.raises(KeyboardInterrupt):
            work("silent", sign, give_up_s=0.05)
        heartbeat.stop("silent")
        assert "the state database has not heard of it for 0 s" == heartbeat.reason("silent")
        assert "" == heartbeat.reason("silent")
    ended.set()


def test_a_run_that_lost_its_lease_is_interrupted() -> None:
    """At the next sign."""
    with pytest.raises(KeyboardInterrupt):
        work("late", lambda: False)
    heartbeat.stop("late")
    assert "another run has taken over the workspace" == heartbeat.reason("late")


def test_a_sign_that_arrives_is_counted_from() -> None:
    """Failures between two signs that arrive end nothing, however many they are in all."""
    signs = 0
    enough = threading.Event()

    def beat() -> bool:
        nonlocal signs
        signs += 1
        if signs == 700:
            enough.set()
        return True if signs % 2 else away()

    heartbeat.start("heard", beat, every_s=0.001, give_up_s=0.5)
    try:
        assert enough.wait(30)
    finally:
        heartbeat.stop("heard")


def test_it_stops_before_its_lease_is_free() -> None:
    """Also when the last sign was sent just after a look, and the requests in flight take their time."""
    assert heartbeat.GIVE_UP_S + heartbeat.BEAT_S < SILENT.total_seconds()
