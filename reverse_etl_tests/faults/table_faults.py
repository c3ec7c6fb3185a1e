"""A table's database in trouble: connections that end at any byte, other writers, crashes, standbys, kills."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from reverse_etl.errors import DestinationUnavailableError
from reverse_etl.ledger.journal import JOURNAL_FILE
from reverse_etl.report import Status
from reverse_etl.run.record import SyncRun
from reverse_etl.state.run_history import find_run
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.kills import Lines, kill, lines_of_a_whole_run
from reverse_etl_tests.faults.runs import World
from reverse_etl_tests.faults.tables import NAMES, ROWS, SLICE, TableCase, engine_of, table_case
from reverse_etl_tests.faults.truth import a_clean_run_mends_everything, books_are_true, everything_arrived
from reverse_etl_tests.servers.cut import CLIENT, SERVER, Moment
from reverse_etl_tests.servers.sandbox import wait_until

_SLICES: Final = ROWS // SLICE
_GOODBYE: Final = 40
"""Bytes at the end of a conversation that nothing depends on."""
PLACES: Final = ("before COMMIT", "in COMMIT", "after COMMIT", "anywhere", "anywhere")

_passed: dict[tuple[Any, ...], list[int]] = {}
"""Bytes of client and server in a whole run, by engine and sync."""
_lines: dict[tuple[Any, ...], Lines] = {}
"""Lines of our code in a whole run, likewise."""


@family(32 * len(NAMES), at_once=10)
def table_connections_cut(world: World, chance: random.Random, seed: int) -> None:
    """Connections to a table's database end before, in and after a COMMIT and at any byte, once or twice in a run."""
    engine, seed = engine_of(seed)
    place = PLACES[seed % len(PLACES)]
    key, write = chance.choice(["PRIMARY KEY", ""]), chance.choice(["add_and_update", "add_only"])
    chosen: dict[str, Any] = {"key": key, "rows": {"write": write}}
    if place == "anywhere" and (engine, key, write) not in _passed:
        with table_case(world, engine, chance, **chosen) as case:
            completes(case)
            _passed[engine, key, write] = case.relay.connections[-1].passed
    with table_case(world, engine, chance, **chosen) as case:
        if write == "add_and_update":
            case.there_before(chance)
        whole = _passed.get((engine, key, write), [0, 0])
        case.relay.moments = [moment_in(case, chance, place, whole)]
        if chance.random() < 0.3:
            case.relay.moments.append(moment_in(case, chance, "after COMMIT", whole))
        completes(case)
        assert case.relay.reached, "the connection was not cut"
        case.each_row_was_written_once()
        a_clean_run_mends_everything(case)
        case.each_row_was_written_once()


def moment_in(
    case: TableCase, chance: random.Random, place: str, whole: list[int], *, commits: int = _SLICES, **more: Any
) -> Moment:
    """A byte of the next connection."""
    if place == "anywhere":
        side = chance.choice([CLIENT, SERVER])
        return Moment(chance.randint(1, whole[side] - _GOODBYE), side, **more)
    nth, commit = chance.randrange(commits), case.server.commit
    side, after = {
        "before COMMIT": (CLIENT, 0),
        "in COMMIT": (CLIENT, chance.randint(1, len(commit) - 1)),
        "after COMMIT": (SERVER, chance.randint(0, 8)),
    }[place]
    return Moment(after, side, commit, nth, **more)


def completes(case: TableCase, **how: Any) -> None:
    """Checks that a run completes, that its books are true, and that the table is as the source."""
    ended = case.run(**how)
    report = books_are_true(case, ended)
    assert (report.status, ended.error) == (Status.COMPLETED, None), f"{report.message} {ended.error}"
    everything_arrived(case)


@family(16 * len(NAMES), at_once=16)
def table_writer_killed(world: World, chance: random.Random, seed: int) -> None:
    """Our process is killed with -9 before any line of its code while it writes to a table, or closes the run."""
    engine, point = engine_of(seed)
    some_fail = point % 3 == 2
    key = "" if point % 4 == 1 else "PRIMARY KEY"
    counted = (engine, some_fail, world.compares, key)
    if counted not in _lines:
        with table_case(world, engine, chance, key=key) as case:
            if some_fail:
                _spoil(case)
            if engine not in {each[0] for each in _lines}:
                # What is imported once for all runs is none of a run's lines.
                case.run()
                case.server.run(f"DELETE FROM {case.table}")
            _lines[counted] = lines_of_a_whole_run(case)
    with table_case(world, engine, chance, key=key) as case:
        refused, rejected = _spoil(case) if some_fail else (set(), set())
        run, rows = case.start(), case.shop.rows()
        in_close = point % 6 == 5
        lines = _lines[counted].in_close if in_close else _lines[counted].before_close
        kill(case, run, int(lines * chance.random() * 0.98), in_close=in_close)
        ended = _end_of(case, run)
        again = not ended and (run.folder.parts("rows").folder / JOURNAL_FILE).exists() and chance.random() < 0.5
        further = replace(case.run(root=run.run_id), rows=rows) if again else case.run()
        report = books_are_true(case, further, refused=refused, rejected=rejected)
        assert report.status is (Status.SOME_ROWS_FAILED if some_fail else Status.COMPLETED)
        case.each_row_was_written_once()
        if some_fail:
            with case.shop.changing() as database:
                database.execute("UPDATE shop SET visits = 7, email = 'mended@x' WHERE rowid IN (5, 11, 18)")
        a_clean_run_mends_everything(case)
        assert _end_of(case, run) is not Status.RUNNING


def _spoil(case: TableCase) -> tuple[set[str], set[str]]:
    """Rows that the table's check refuses, and one that does not fit a column."""
    names = [row.id for row in case.shop.rows()]
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET visits = -1 WHERE rowid IN (5, 18)")
        database.execute("UPDATE shop SET email = ? WHERE rowid = 11", ["x" * 41])
    return {names[4], names[17]}, {names[10]}


def _end_of(case: TableCase, run: SyncRun) -> Status | None:
    """How a run ended; None where it is not known, or has not."""
    known = find_run(case.store, run.run_id)
    return None if known is None or known.status is Status.RUNNING else known.status


@family(16 * len(NAMES), at_once=8)
def table_locked_by_another(world: World, chance: random.Random, seed: int) -> None:
    """Another writer holds a row of the table, commits a change of it or a row of its key, or there is a deadlock."""
    engine, seed = engine_of(seed)
    how = ("commits", "adds the same key", "deadlock", "holds on")[seed % 4]
    with table_case(world, engine, chance, settings={"lock_timeout": "1s"}, key="PRIMARY KEY") as case:
        first, *_, last = case.shop.rows()[:SLICE]
        theirs = {"commits": last, "adds the same key": last, "deadlock": last, "holds on": first}[how]
        case.server.run(f"INSERT INTO {case.table} VALUES ('{first.id}', 'old@x', 'old', 0)")
        if how != "adds the same key":
            case.server.run(f"INSERT INTO {case.table} VALUES ('{theirs.id}x', '', '', 0)")
            if theirs is not first:
                case.server.run(f"INSERT INTO {case.table} VALUES ('{theirs.id}', 'old@x', 'old', 0)")
        case.server.run(f"DELETE FROM {case.table} WHERE id LIKE '%x'; DELETE FROM {case.table}_writes")
        with case.server.other_writer(yields=chance.random() < 0.5) as connection:
            other = _one_at_a_time(connection)
            if how == "adds the same key":
                other(f"INSERT INTO {case.table} VALUES ('{theirs.id}', 'their@x', 'theirs', 1)")
            else:
                other(f"UPDATE {case.table} SET plan = 'theirs' WHERE id = '{theirs.id}'")
            clock = Acts(lambda: other("ROLLBACK"))
            with ThreadPoolExecutor(1) as meanwhile:
                done = meanwhile.submit(_meanwhile, case, other, how, first.id)
                completes(case, clock=clock.clock())
                done.result()
        a_clean_run_mends_everything(case)


def _one_at_a_time(other: Callable[[str], Any]) -> Callable[[str], Any]:
    """The other writer, for two threads: its connection takes one statement at a time."""
    turn = threading.Lock()

    def execute(statement: str) -> object:
        with turn:
            return other(statement)

    return execute


def _meanwhile(case: TableCase, other: Callable[[str], Any], how: str, first: str) -> None:
    """What the other writer does once our session waits for it."""
    if how == "holds on":
        return
    wait_until(case.server.waits, timeout_s=10)
    if how == "deadlock":
        # One of both is the server's victim.
        with suppress(Exception):
            other(f"UPDATE {case.table} SET plan = 'theirs' WHERE id = '{first}'")
    other("COMMIT")


class Acts(FastClock):
    """Does something in the first waits of a run, and gives the server's own processes a moment of the real time."""

    def __init__(self, act: Callable[[], object], *, after: int = 1) -> None:
        super().__init__()
        self._act, self._after = act, after

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.01)
        await super()._sleep(seconds)
        if len(self.slept_s) == self._after:
            await asyncio.to_thread(self._act)


@family(16 * len(NAMES), at_once=8)
def table_server_in_trouble(world: World, chance: random.Random, seed: int) -> None:
    """The database answers that its disk or memory is full, it shuts down, ends a session; each eighth never stops."""
    engine, seed = engine_of(seed)
    lasts = seed % 8 == 7
    with table_case(world, engine, chance, key=chance.choice(["PRIMARY KEY", ""])) as case:
        server = case.server
        if seed % 4 == 1:
            server.end_first_sessions(chance.randint(1, 2), table=case.table)
        else:
            trouble = server.lasting if lasts else sorted(server.troubles)[seed % len(server.troubles)]
            server.raise_first(10**6 if lasts else chance.randint(1, 3), trouble, table=case.table)
        if lasts:
            _gives_up(case, chance, lambda: server.calm(case.table))
        else:
            completes(case)
            case.each_row_was_written_once()
        a_clean_run_mends_everything(case)
        case.each_row_was_written_once()


def _gives_up(case: TableCase, chance: random.Random, mend: Callable[[], object], **how: Any) -> None:
    """A run that ends because the trouble does not; it is resumed, or the next one does the rest."""
    first = case.run(**how)
    report = books_are_true(case, first)
    assert (report.status, report.exit_code, type(first.error)) == (Status.FAILED, 5, DestinationUnavailableError)
    mend()
    if chance.random() < 0.5:
        report = books_are_true(case, case.resume(first))
        assert report.status is Status.COMPLETED
        everything_arrived(case)


@family(8 * len(NAMES), at_once=8)
def table_server_restarts(world: World, chance: random.Random, seed: int) -> None:
    """The database's server is killed and started again, before, in or after a COMMIT or at any byte of a run."""
    engine, seed = engine_of(seed)
    place = PLACES[seed % 4]
    with table_case(world, engine, chance, key=chance.choice(["PRIMARY KEY", ""])) as case:
        case.there_before(chance)
        # The first kilobytes are login and stage.
        case.relay.moments = [moment_in(case, chance, place, [3_000, 1_500], act=case.server.crash)]
        completes(case, clock=Acts(case.relay.wait, after=3).clock())
        assert case.relay.reached
        case.each_row_was_written_once()
        a_clean_run_mends_everything(case)


@family(8 * len(NAMES), at_once=16)
def table_server_only_reads(world: World, chance: random.Random, seed: int) -> None:
    """The name leads to a standby, or the server becomes a replica, in the middle of a run; each fourth stays one."""
    engine, seed = engine_of(seed)
    stays = seed % 4 == 3
    with table_case(world, engine, chance) as case:
        server, relay = case.server, case.relay
        relay.moments = [moment_in(case, chance, PLACES[seed % 3], [], act=lambda: server.demote(relay))]
        try:
            if stays:
                _gives_up(case, chance, lambda: server.promote(relay))
            else:
                clock = Acts(lambda: server.promote(relay), after=chance.randint(1, 4))
                completes(case, clock=clock.clock())
        finally:
            server.promote(relay)
        assert relay.reached
        a_clean_run_mends_everything(case)
        case.each_row_was_written_once()


@family(16 * len(NAMES), at_once=16)
def table_mirror_cut(world: World, chance: random.Random, seed: int) -> None:
    """Rows that left the source are deleted from a table when the connection ends, or our process is killed with -9."""
    engine, seed = engine_of(seed)
    world.compares = True
    chosen: dict[str, Any] = {"rows": {"gone": "delete"}, "key": chance.choice(["PRIMARY KEY", ""])}
    killed = seed % 2
    counted = (engine, "mirror")
    if killed and counted not in _lines:
        with table_case(world, engine, chance, **chosen) as case:
            _some_leave(case, chance)
            _lines[counted] = lines_of_a_whole_run(case)
    with table_case(world, engine, chance, **chosen) as case:
        _some_leave(case, chance)
        if killed:
            lines = _lines[counted].before_close
            kill(case, case.start(), int(lines * (0.3 + 0.68 * chance.random())), in_close=False)
            # A run that continues it leaves the deletions to the next one.
            assert books_are_true(case, case.run()).status is Status.COMPLETED
        else:
            case.relay.moments = [moment_in(case, chance, PLACES[seed // 2 % 3], [], commits=2)]
            completes(case)
            assert case.relay.reached
        a_clean_run_mends_everything(case)
        theirs = case.server.fetch(f"SELECT plan FROM {case.table} WHERE id = 'theirs'")
        assert [("their own",)] == theirs


def _some_leave(case: TableCase, chance: random.Random) -> None:
    """After a first run, a slice of rows has left the source, and one has changed; another's row is in the table."""
    completes(case)
    case.server.run(f"INSERT INTO {case.table} VALUES ('theirs', 'their@x', 'their own', 0)")
    numbers = chance.sample(range(1, ROWS + 1), 2 * SLICE)
    gone, changed = (", ".join(map(str, some)) for some in (numbers[:SLICE], numbers[SLICE:]))
    with case.shop.changing() as database:
        database.execute(f"DELETE FROM shop WHERE rowid IN ({gone})")
        database.execute(f"UPDATE shop SET visits = visits + 1 WHERE rowid IN ({changed})")
