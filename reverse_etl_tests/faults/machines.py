"""Two machines share state and storage: one of them is lost, or what they share is away."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

from reverse_etl.report import Status
from reverse_etl.state.home import Home
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.kills import Lines, kill, lines_of_a_whole_run
from reverse_etl_tests.faults.runs import STAGES, Case, World
from reverse_etl_tests.faults.shop import KINDS
from reverse_etl_tests.faults.truth import a_clean_run_mends_everything, books_are_true, everything_arrived

_ROWS, _ITEMS, _IN_FLIGHT = 24, 3, 3

_counted: dict[tuple[str, bool], Lines] = {}
"""By kind of sync, and whether the sync compares."""


@dataclass(frozen=True, slots=True)
class _Machines:
    """One sync as two machines see it, and the folder that they share."""

    one: Case
    other: Case
    place: Path


@family(50, at_once=10)
def machine_lost(world: World, chance: random.Random, seed: int) -> None:
    """The machine of a run is lost, at 50 points of its code; another one continues, and then the first again."""
    kind = KINDS[seed % len(KINDS)]
    key = kind, world.compares
    with _machines(world, chance, kind) as machines:
        if key not in _counted:
            machines.one.run()
            with _machines(world, chance, kind) as others:
                _counted[key] = lines_of_a_whole_run(others.one)
    with _machines(world, chance, kind) as machines:
        one, other = machines.one, machines.other
        run, rows = one.start(), one.shop.rows()
        kill(one, run, int(_counted[key].before_close * (seed + 0.5) / 50), in_close=False)
        # A re-execution needs what the extraction put there.
        whole = run.folder.shared is not None and run.folder.shared.storage.has(f"{run.folder.shared.name}/facts.json")
        again = whole and run.folder.parts("rows").folder.joinpath("outcomes.npy").exists() and chance.random() < 0.5
        further = replace(other.run(root=run.run_id), rows=rows) if again else other.run()
        if again and further.error is not None:
            # Validation had not been put there: a run of its own does it.
            further = other.run()
        report = books_are_true(other, further)
        assert report.status is Status.COMPLETED
        everything_arrived(other)
        # An event that happened stays as it was sent.
        with one.shop.changing() as database:
            database.execute(
                "UPDATE shop SET updated_at = 4000000000"
                if kind == "events"
                else "UPDATE shop SET plan = 'later', updated_at = 4000000000"
            )
        a_clean_run_mends_everything(one)


@family(30, at_once=10)
def shared_place_away(world: World, chance: random.Random, seed: int) -> None:
    """The place that machines share is away from before one stage on, or until the next one; then it is back."""
    with _machines(world, chance, KINDS[seed % len(KINDS)]) as machines:
        away = machines.place.with_name("away")
        moment = seed % len(STAGES)
        back = STAGES[moment + 1] if chance.random() < 0.5 and moment + 1 < len(STAGES) else ""

        def before(stage: str) -> None:
            if stage == STAGES[moment]:
                machines.place.rename(away)
                machines.place.touch()
            elif stage == back:
                restore()

        def restore() -> None:
            if away.exists():
                machines.place.unlink()
                away.rename(machines.place)

        ended = machines.one.run(before=before)
        restore()
        assert ended.report is not None
        assert (ended.report.status, ended.report.last_sync_time) == (Status.FAILED, 0)
        assert f"{machines.place} cannot be " in ended.report.message
        following = chance.choice([machines.one, machines.other])
        report = books_are_true(following, following.run())
        assert report.status is Status.COMPLETED
        everything_arrived(following)
        a_clean_run_mends_everything(machines.one)


@contextmanager
def _machines(world: World, chance: random.Random, kind: str) -> Iterator[_Machines]:
    """A new sync on two machines with a place of its own; what they share is in the environment until the end."""
    one = world.case(kind, chance, rows=_ROWS, items=_ITEMS, in_flight=_IN_FLIGHT)
    other = replace(one, home=Home.at(world.folder / "other"))
    place = world.folder / f"place_{one.name}" / "shared"
    place.mkdir(parents=True, mode=0o700)
    shared = {"REVERSE_ETL_STORAGE_URL": str(place), "REVERSE_ETL_STATE_URL": world.home.state_url}
    shared["REVERSE_ETL_SECRET"] = "the same on all machines"
    with mock.patch.dict(os.environ, shared):
        yield _Machines(one, other, place)
