"""A run checks its rows while it reads them, where the process that reads them is the one that checks them."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from reverse_etl.checks.base import BatchRule
from reverse_etl.checks.rules import rules_for
from reverse_etl.checks.runner import CheckedAhead, take
from reverse_etl.report import Outcome
from reverse_etl.run.attend import attend
from reverse_etl.run.record import SyncRun
from reverse_etl.run.stages import extract_changeset, validate_changeset
from reverse_etl.state.home import Home
from reverse_etl_tests.faults.runs import Case, World
from reverse_etl_tests.fresh_store import fresh_store
from reverse_etl_tests.servers.sandbox import RunningSandbox

ROWS = 7


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people in a home of its own."""
    home = Home.at(tmp_path / "home")
    world = World(tmp_path, sandbox, home, fresh_store(home))
    return world.case("people", random.Random(1), rows=ROWS)  # noqa: S311 - repeatable, not secret


def read(case: Case, run: SyncRun) -> CheckedAhead | None:
    """What is known of the rows once they are read; taken, as the checks take it."""
    with attend(run):
        extract_changeset(run, case.database)
    return take(run.sync, run.folder)


def test_every_part_is_known_when_the_rows_are_read(case: Case) -> None:
    """Whatever rules of one row the sync has."""
    names = [each.rule.name for each in rules_for(case.sync)["rows"] if isinstance(each, BatchRule)]
    run = case.start()
    ahead = read(case, run)
    assert ahead is not None
    facts, paths = run.folder.facts(), run.folder.parts("rows").paths()
    assert facts is not None
    assert paths
    assert all(ahead.found(path, names, facts.started_at) is not None for path in paths)


def test_another_process_checks_the_rows_itself(case: Case) -> None:
    """Nothing is done ahead that nobody takes; nor is anything missed where it was not done."""
    run = replace(case.start(), one_process=False)
    assert read(case, run) is None
    with attend(run):
        validation = validate_changeset(run)
    assert ROWS == validation.counts["rows"].extracted
    assert {Outcome.UNDELIVERED} == {*run.folder.outcomes("rows").tolist()}
