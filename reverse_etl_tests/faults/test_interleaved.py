"""Transactions of several writers, interleaved with runs at random: no row is lost; with a store, none comes twice."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pymysql  # type: ignore[import-untyped]
import pytest

from reverse_etl.run.key_history import history_of_key
from reverse_etl.run.undo import make_undo
from reverse_etl_tests.destinations.customerio.configs import workspace
from reverse_etl_tests.faults.late import LateCase, Place, execute, next_second, place
from reverse_etl_tests.faults.runs import World

_ROLLED_BACK: Final = 1402

Sent = Counter[tuple[str, str]]
"""Ids and plans of what was sent, with how often."""

COMPARE: Final = {"by": "compare"}
WAYS: Final[dict[str, tuple[str, dict[str, str], bool]]] = {
    "postgres, last sync time": ("postgres", {}, False),
    "postgres, late": ("postgres_unseen", {"late": "10m"}, False),
    "postgres, last sync time and compare": ("postgres", COMPARE, False),
    "postgres, late and compare": ("postgres_unseen", COMPARE | {"late": "10m"}, False),
    "postgres, changed": ("postgres_marks", {}, False),
    "postgres, changed and compare": ("postgres_marks", COMPARE, False),
    "postgres, compare": ("postgres_unseen", COMPARE, True),
    "postgres, log": ("postgres_log", {}, False),
    "mariadb, last sync time": ("mariadb", {}, False),
    "mariadb, late and compare": ("mariadb_unseen", COMPARE | {"late": "10m"}, False),
    "mariadb, compare": ("mariadb_unseen", COMPARE, True),
    "mariadb, log": ("mariadb_log", {}, False),
}
"""How a sync finds what changed: the place, its section ``changes``, and whether its query returns all rows."""

THOROUGH: Final = pytest.mark.thorough
SEEDS: Final = [0, *(pytest.param(seed, marks=THOROUGH) for seed in range(1, 2))]


@dataclass(slots=True)
class Writer:
    """One application, whose rows no other one changes; one transaction at a time.

    Attributes:
        where: The table.
        chance: Decides what it does.
        versions: Numbers for plans, so that each version of a row is written once.
        ids: Its rows, as far as it has written them.
    """

    where: Place
    chance: random.Random
    versions: Iterator[int]
    ids: list[str]
    session: Any = None
    prepared: str = ""

    def act(self) -> None:
        """Begins, does one thing more in its transaction, or ends it."""
        if self.prepared:
            self.end()
        elif self.session is None:
            self._begin()
        else:
            self.chance.choice([self._write, self._write, self._in_savepoint, self._look, self._prepare, self.end])()

    def end(self) -> None:
        """Commits, or now and then rolls back."""
        if self.session is None and not self.prepared:
            return
        how = "ROLLBACK" if self.chance.random() < 0.2 else "COMMIT"
        if self.prepared:
            words = f"XA {how}" if self.where.engine == "mysql" else f"{how} PREPARED"
            with closing(self.where.session()) as other:
                try:
                    execute(other, f"{words} '{self.prepared}'")
                except pymysql.err.OperationalError as error:
                    # Of a row that was rolled back before, it changed nothing: then MariaDB has forgotten it.
                    if error.args[0] != _ROLLED_BACK:
                        raise
            self.prepared = ""
            return
        execute(self.session, how)
        self.session.close()
        self.session = None

    def _begin(self) -> None:
        self.session = self.where.session()
        execute(self.session, "BEGIN")
        self.chance.choice([self._look, self._write])()

    def _look(self) -> None:
        execute(self.session, f"SELECT count(*) FROM {self.where.table}")

    def _write(self) -> None:
        now = "now(6)" if self.where.engine == "mysql" else "now()"
        plan = f"v{next(self.versions)}"
        if self.chance.random() < 0.5:
            self.ids.append(f"id{plan}")
            execute(self.session, f"INSERT INTO {self.where.table} VALUES ('id{plan}', '{plan}', {now})")
            return
        chosen = self.chance.choice(self.ids)
        execute(self.session, f"UPDATE {self.where.table} SET plan = '{plan}', at = {now} WHERE id = '{chosen}'")

    def _in_savepoint(self) -> None:
        execute(self.session, "SAVEPOINT s")
        self._write()
        execute(self.session, self.chance.choice(["RELEASE SAVEPOINT s", "ROLLBACK TO SAVEPOINT s"]))

    def _prepare(self) -> None:
        """Leaves what it wrote to whoever commits it; in MariaDB, that is a transaction of its own from the start."""
        name = f"{self.where.table}_{next(self.versions)}"
        if self.where.engine == "mysql":
            execute(self.session, "COMMIT")
            execute(self.session, f"XA START '{name}'")
            self._write()
            execute(self.session, f"XA END '{name}'")
            execute(self.session, f"XA PREPARE '{name}'")
        else:
            execute(self.session, f"PREPARE TRANSACTION '{name}'")
        self.session.close()
        self.session, self.prepared = None, name


@dataclass(slots=True)
class Interleaved:
    """Writers and syncs of one table.

    Attributes:
        cases: The syncs; each run of the one is followed by one of the others.
        chance: Decides everything.
        sent: What the syncs sent, run by run.
    """

    cases: list[LateCase]
    chance: random.Random
    writers: list[Writer] = field(default_factory=list)
    sent: list[list[Sent]] = field(default_factory=list)

    def happen(self, steps: int) -> None:
        """Writers act in any order, with runs in between; then all transactions end, and two runs follow."""
        versions = itertools.count(1)
        where = self.cases[0].place
        self.writers = [Writer(where, self.chance, versions, [f"old{number}"]) for number in range(3)]
        self._run()
        for _ in range(steps):
            if self.chance.random() < 0.2:
                self._run()
            else:
                self.chance.choice(self.writers).act()
        for writer in self.writers:
            writer.end()
        next_second()
        self._run()
        self._run()

    def _run(self) -> None:
        found = []
        for case in self.cases:
            sandbox = case.world.sandbox
            before = len(sandbox.requests())
            case.run()
            batches = [each["body"]["batch"] for each in sandbox.requests()[before:] if each["path"] == "/api/v2/batch"]
            items = itertools.chain(*batches)
            found.append(Counter((item["identifiers"]["id"], item["attributes"]["plan"]) for item in items))
        self.sent.append(found)


@contextmanager
def made(world: World, kind: str) -> Iterator[Place]:
    """A table of three people; its log, if it has one, is dropped at the end."""
    where = place(world, kind)
    world.sandbox.reset()
    where.make()
    if kind.startswith("mariadb") and not kind.endswith("_log"):
        # Without a key, a writer would lock every row that it passes.
        with closing(where.session()) as owner:
            execute(owner, f"ALTER TABLE {where.table} ADD PRIMARY KEY (id)")
    with ExitStack() as stack:
        if kind.endswith("_log"):
            stack.callback(_drop, where)
        yield where


def _drop(where: Place) -> None:
    with where.log() as log:
        log.drop()


def _rows(where: Place) -> dict[str, str]:
    with closing(where.session()) as session:
        return dict(execute(session, f"SELECT id, plan FROM {where.table}"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("way", [way if way == "postgres, log" else pytest.param(way, marks=THOROUGH) for way in WAYS])
def test_no_row_is_lost_and_with_a_store_none_is_sent_twice(world: World, way: str, seed: int) -> None:
    """Whatever was open, in a savepoint or prepared while a run read, and however it ended."""
    kind, changes, whole = WAYS[way]
    with made(world, kind) as where:
        case = LateCase(world, where, {} if kind.endswith("_log") else changes)
        if whole:
            case.query = f"SELECT id, plan FROM {where.table}"
        history = Interleaved([case], random.Random(f"{way} {seed}"))  # noqa: S311 - repeatable
        history.happen(40)
        there = {person["id"]: person["attributes"]["plan"] for person in world.sandbox.people()}
        assert _rows(where) == there
        if kind.endswith("_log") or changes.get("by") == "compare":
            often = sum((each for [each] in history.sent), Counter())
            assert {} == {version: times for version, times in often.items() if times > 1}


@pytest.mark.parametrize("kind", ["postgres_log", pytest.param("mariadb_log", marks=THOROUGH)])
def test_what_the_log_names_has_a_history_and_is_taken_back(world: World, kind: str) -> None:
    """With `keep`: changed attributes alone are sent, and a row that the log named as deleted is there again."""
    with made(world, kind) as where, closing(where.session()) as writer:
        people = {"identify_by": "id", "send": "changed_attributes", "gone": "delete", "gone_wait": "0s"}
        changes = {"by": "log", "tables": {where.table: "id"}, "keep": "30d"}
        query = f"SELECT id, plan, 'x' AS other FROM {where.table}"
        case = LateCase(world, where, more={"people": people, "changes": changes, "query": query})
        first = case.run()
        before = world.sandbox.people()
        execute(writer, f"UPDATE {where.table} SET plan = 'wrong' WHERE id = 'old0'")
        execute(writer, f"DELETE FROM {where.table} WHERE id = 'old1'")
        wrong = case.run()
        assert (1, 1) == (wrong.streams["rows"].delivered, wrong.streams["gone_rows"].delivered)
        batches = [each["body"]["batch"] for each in world.sandbox.requests() if each["path"] == "/api/v2/batch"]
        assert [{"plan": "wrong"}] == [item["attributes"] for item in batches[-2]]
        home, store = world.home, world.store
        newest, oldest = history_of_key(case.sync, home, store, "old0")
        assert (wrong.run_id, ["plan"], first.run_id) == (newest.run_id, [*newest.attributes], oldest.run_id)
        assert [True, False] == [each.removed for each in history_of_key(case.sync, home, store, "old1")]
        made_undo = make_undo(case.sync, home, store, where.config, workspace(world.sandbox.url), wrong)
        assert (2, 1) == (made_undo.undone.rows, made_undo.undone.removed)
        assert 2 == case.run(plan=made_undo.plan_id).rows.delivered
        assert [each["attributes"] for each in before] == [
            each["attributes"] for each in sorted(world.sandbox.people(), key=lambda each: each["id"])
        ]


@THOROUGH
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", ["postgres_log", "mariadb_log"])
def test_the_log_and_comparing_all_rows_send_the_same(world: World, kind: str, seed: int) -> None:
    """Two syncs of one table, run one after the other: each pair of runs sends the same rows."""
    with made(world, kind) as where:
        all_rows = LateCase(world, replace(where, kind=where.kind.removesuffix("_log")), COMPARE)
        all_rows.query, all_rows.name = f"SELECT id, plan FROM {where.table}", f"{where.table}_all"
        history = Interleaved([LateCase(world, where), all_rows], random.Random(seed))  # noqa: S311 - repeatable
        history.happen(40)
        assert [by_log for by_log, _ in history.sent] == [by_comparing for _, by_comparing in history.sent]
        assert sum(sum(each.values()) for each, _ in history.sent) > 6
