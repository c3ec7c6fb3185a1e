"""ClickHouse and Snowflake in trouble: connections that end at any byte, answers that are lost, restarts, kills."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, Final

from reverse_etl.ledger.journal import JOURNAL_FILE
from reverse_etl.report import Status
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.kills import Lines, kill, lines_of_a_whole_run
from reverse_etl_tests.faults.runs import World
from reverse_etl_tests.faults.table_faults import PLACES, Acts, completes, moment_in
from reverse_etl_tests.faults.tables import TableCase
from reverse_etl_tests.faults.truth import a_clean_run_mends_everything, books_are_true
from reverse_etl_tests.faults.warehouses import NAMES, FaultySnowflake, warehouse_case
from reverse_etl_tests.servers.cut import CLIENT, SERVER, Moment

_EXPIRED: Final = ("390112", "Your session has expired. Please login again.")

_passed: dict[str, list[int]] = {}
"""Bytes of client and server in a whole run, by engine."""
_lines: dict[tuple[str, bool], Lines] = {}
"""Lines of our code in a whole run, by engine and whether the sync compares."""


def _engine_of(seed: int) -> tuple[str, int]:
    """The engine of a scenario, and the scenario's number among its own; every fourth of each compares."""
    block, place = divmod(seed, 4)
    return NAMES[block % len(NAMES)], block // len(NAMES) * 4 + place


@family(8 * len(NAMES), at_once=8)
def warehouse_connections_cut(world: World, chance: random.Random, seed: int) -> None:
    """Connections to ClickHouse end before, in and after an insert, those to Snowflake around a MERGE; or anywhere."""
    engine, seed = _engine_of(seed)
    place = PLACES[seed % 4]
    chosen = {"rows": {"write": "add_and_update" if seed % 3 else "add_only"}}
    if engine not in _passed:
        with warehouse_case(world, engine, chance) as case:
            completes(case)
            _passed[engine] = case.relay.connections[-1].passed
    with warehouse_case(world, engine, chance, **chosen) as case:
        if seed % 3:
            case.there_before(chance)
        _lose(case, chance, place, engine)
        completes(case, clock=Acts(lambda: None).clock())
        assert _went_wrong(case, place), "nothing was lost"
        case.each_row_was_written_once()
        a_clean_run_mends_everything(case)
        case.each_row_was_written_once()


def _lose(case: TableCase, chance: random.Random, place: str, engine: str) -> None:
    """Has an answer, or a connection, get lost."""
    if isinstance(case.server, FaultySnowflake) and place != "anywhere":
        wrong: dict[str, dict[str, Any]] = {
            "before COMMIT": {"failing": {"MERGE": (1, *_EXPIRED)}},
            "in COMMIT": {"lost": {"MERGE": 1}},
            "after COMMIT": {"lost": {"status": 1}},
        }
        case.server.running.behave(**wrong[place])
        return
    if place == "anywhere":
        side = chance.choice([CLIENT, SERVER])
        case.relay.moments = [Moment(chance.randint(1, int(_passed[engine][side] * 0.9)), side)]
    else:
        moment = moment_in(case, chance, place, [], commits=2)
        # An insert's request has some 1,500 bytes.
        after = chance.randint(1, 1_400) if place == "in COMMIT" else moment.after
        case.relay.moments = [replace(moment, after=after)]


def _went_wrong(case: TableCase, place: str) -> bool:
    """Whether a connection was cut, or a session had to be made again."""
    if isinstance(case.server, FaultySnowflake) and place != "anywhere":
        # One looks at the table before rows are read, one writes.
        return len(case.server.running.seen()["logins"]) > 2
    return bool(case.relay.reached)


@family(8 * len(NAMES), at_once=8)
def warehouse_writer_killed(world: World, chance: random.Random, seed: int) -> None:
    """Our process is killed with -9 before any line of its code while it writes to ClickHouse or Snowflake."""
    engine, point = _engine_of(seed)
    counted = engine, world.compares
    if counted not in _lines:
        with warehouse_case(world, engine, chance) as case:
            if engine not in {each[0] for each in _lines}:
                # What is imported once for all runs is none of a run's lines.
                case.run()
                case.server.run(f"DELETE FROM {case.table} WHERE id <> ''")
            _lines[counted] = lines_of_a_whole_run(case)
    with warehouse_case(world, engine, chance) as case:
        run, rows = case.start(), case.shop.rows()
        in_close = point % 6 == 5
        lines = _lines[counted].in_close if in_close else _lines[counted].before_close
        kill(case, run, int(lines * chance.random() * 0.98), in_close=in_close)
        again = (run.folder.parts("rows").folder / JOURNAL_FILE).exists() and not in_close and chance.random() < 0.5
        further = replace(case.run(root=run.run_id), rows=rows) if again else case.run()
        assert books_are_true(case, further).status is Status.COMPLETED
        case.each_row_was_written_once()
        a_clean_run_mends_everything(case)
        case.each_row_was_written_once()


@family(4 * len(NAMES), at_once=8)
def warehouse_server_restarts(world: World, chance: random.Random, seed: int) -> None:
    """ClickHouse is killed and started again, Snowflake ends every session, around an insert or at any byte."""
    engine, seed = NAMES[seed % len(NAMES)], seed // len(NAMES)
    with warehouse_case(world, engine, chance) as case:
        case.there_before(chance)
        place = PLACES[seed % 4] if engine == "clickhouse" else "anywhere"
        # The first kilobytes are login and catalogue.
        moment = moment_in(case, chance, place, [30_000, 12_000], act=case.server.crash)
        case.relay.moments = [moment]
        completes(case, clock=Acts(case.relay.wait, after=3).clock())
        assert case.relay.reached
        if engine == "clickhouse":
            case.each_row_was_written_once()
        a_clean_run_mends_everything(case)
