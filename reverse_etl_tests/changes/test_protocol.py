"""20,000 histories of keys through runs that go wrong, and each rule of what is acknowledged left out.

A history is one key's: how its value changes, vanishes and returns, what is refused, kept back, applied without an
answer or reported afterwards. The keys of one sequence share its runs: where they stop, which are continued, which
are overtaken. So 20,000 histories are 160 sequences of 125 keys.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import sqlalchemy as sa

from reverse_etl.changes import commit
from reverse_etl.changeset.parts import Outcomes, Parts
from reverse_etl.report import Outcome
from reverse_etl.run import acknowledged, changes, gone
from reverse_etl.run.record import SyncRun
from reverse_etl.state import snapshots
from reverse_etl.state.home import Home
from reverse_etl.state.schema import SNAPSHOT
from reverse_etl.state.snapshots import Snapshot, snapshot_of
from reverse_etl_tests.changes import protocol
from reverse_etl_tests.changes.protocol import OLDER, REMOVED, STALE, UNKNOWN, Histories
from reverse_etl_tests.fresh_store import fresh_store

if TYPE_CHECKING:
    import duckdb

KEYS: Final = 125
SEQUENCES: Final = 160
AT_ONCE: Final = 20

_REAL_ANSWERS: Final = commit._answers


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home folder with a state database and a secret, the same one every time: it orders the keys."""
    home = Home.at(tmp_path_factory.mktemp("protocol") / "home")
    fresh_store(home)
    (home.path / "secret").write_bytes(bytes(range(32)))
    return home


def harm_of(seed: int, template: Home, keys: int = KEYS) -> list[str]:
    """What goes wrong in one sequence."""
    home = Home.at(template.path.with_name(f"seed{seed}"))
    shutil.copytree(template.path, home.path, dirs_exist_ok=True)
    try:
        return Histories(home, random.Random(seed), keys, removes=bool(seed % 2)).play()  # noqa: S311 - repeatable, not secret
    finally:
        shutil.rmtree(home.path)


@pytest.mark.thorough
@pytest.mark.parametrize("first", range(0, SEQUENCES, AT_ONCE))
def test_nothing_is_lost_and_nothing_is_sent_twice(first: int, template: Home) -> None:
    """In none of them: the destination is as the source, what is acknowledged is there, then all is quiet."""
    assert {} == {seed: harm for seed in range(first, first + AT_ONCE) if (harm := harm_of(seed, template))}


def test_a_few_of_them_every_time(template: Home) -> None:
    """So that a fault is seen at once."""
    assert {} == {seed: harm for seed in range(3) if (harm := harm_of(seed, template))}


def meaning(outcome: Outcome, answer: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Lets rows that were to be sent, and have an outcome in the end, mean something else."""

    def leave_out(patch: pytest.MonkeyPatch) -> None:
        def answers(parts: Parts, outcomes: Outcomes, **certain: bool) -> Outcomes:
            return np.where(outcomes == outcome, np.uint8(answer), _REAL_ANSWERS(parts, outcomes, **certain))

        patch.setattr(commit, "_answers", answers)

    return leave_out


def all_are_certain(patch: pytest.MonkeyPatch) -> None:
    """A refusal says that nothing was applied, whatever was tried before."""
    patch.setattr(commit, "_answers", lambda parts, outcomes, **_: _REAL_ANSWERS(parts, outcomes, certain=True))


def stopped_runs_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The next run begins as if they had not been."""

    def forget(run: SyncRun, _: Snapshot) -> Snapshot:
        with run.store.writing() as connection:
            connection.execute(sa.update(SNAPSHOT).values(sending=""))
        return snapshot_of(run.store, run.sync.name)

    patch.setattr(changes, "settle", forget)


def marks_come_after_sending(patch: pytest.MonkeyPatch) -> None:
    """The mark is set, but when everything was sent."""
    late: list[Callable[[], object]] = []

    def mark(*arguments: Any, **named: Any) -> bool:
        late.append(lambda: snapshots.mark_sending(*arguments, **named))
        return True

    def write(*arguments: Any) -> int | None:
        while late:
            late.pop()()
        return acknowledged.write_generation(*arguments)

    patch.setattr(changes, "mark_sending", mark)
    patch.setattr(protocol, "write_generation", write)


def overtaken_rows_are_sent(patch: pytest.MonkeyPatch) -> None:
    """Whatever was sent since they were read."""
    patch.setattr(changes, "require_newest", lambda *_: None)


def new_keys_in_doubt_are_not_remembered(patch: pytest.MonkeyPatch) -> None:
    """As if nothing could have arrived of them."""
    real = commit.copy

    def copy(database: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
        return real(database, f"SELECT * FROM ({query}) WHERE known OR rh IS NOT NULL", path)

    patch.setattr(commit, "copy", copy)


def removals_are_continued(patch: pytest.MonkeyPatch) -> None:
    """Whoever continues the rows also removes who was gone when they were read."""
    patch.setattr(gone, "may_remove", lambda _: True)


Rule = tuple[Callable[[pytest.MonkeyPatch], None], str]

RULES: Final[dict[str, Rule]] = {
    "only what was acknowledged is known": (meaning(Outcome.REFUSED, commit.ACKNOWLEDGED), STALE),
    "what has no answer is in doubt": (meaning(Outcome.UNDELIVERED, commit.LEFT), STALE),
    "a run that is not continued is settled": (stopped_runs_are_forgotten, STALE),
    "the mark comes before the first request": (marks_come_after_sending, STALE),
    "overtaken rows are not sent": (overtaken_rows_are_sent, OLDER),
    "new keys in doubt are remembered": (new_keys_in_doubt_are_not_remembered, UNKNOWN),
    "removals are not continued": (removals_are_continued, REMOVED),
    "a refusal after a doubt leaves the doubt": (all_are_certain, STALE),
}
"""How each is left out, and what goes wrong then."""


@pytest.mark.thorough
@pytest.mark.parametrize("rule", RULES)
def test_without_any_rule_something_goes_wrong(rule: str, template: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is needed: left out, one of the same sequences fails, with the harm that the rule prevents."""
    leave_out, harm = RULES[rule]
    leave_out(monkeypatch)
    assert any(harm in each for seed in range(SEQUENCES) for each in harm_of(seed, template))
