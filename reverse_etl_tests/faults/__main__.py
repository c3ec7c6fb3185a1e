"""``python -m reverse_etl_tests.faults``: every scenario and the table of the docs, one scenario, or a soak."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from reverse_etl.report import Status
from reverse_etl_tests.faults.answers import Rule
from reverse_etl_tests.faults.catalogue import catalogue
from reverse_etl_tests.faults.refusals import BATCH
from reverse_etl_tests.faults.runs import World, new_world
from reverse_etl_tests.faults.table import PAGE, written
from reverse_etl_tests.faults.truth import a_clean_run_mends_everything, books_are_true

SOAK_ROWS = 100_000


def main() -> None:
    """Runs what the command line asks for; a broken promise ends it with an error."""
    parser = argparse.ArgumentParser(prog="python -m reverse_etl_tests.faults", description=__doc__)
    asked = parser.add_subparsers(dest="command", required=True)
    asked.add_parser("table", help="try every scenario and write the table of docs/delivery.md")
    one = asked.add_parser("one", help="try one scenario")
    one.add_argument("family")
    one.add_argument("seed", type=int)
    soak = asked.add_parser("soak", help="one large sync through many faults")
    soak.add_argument("--rows", type=int, default=SOAK_ROWS)
    soak.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, new_world(Path(folder)) as world:
        if chosen.command == "soak":
            run_soak(world, chosen.rows, chosen.seed)
        elif chosen.command == "one":
            {each.name: each for each in catalogue()}[chosen.family].hold(world, chosen.seed)
        else:
            for each in catalogue():
                for seed in range(each.count):
                    each.hold(world, seed)
                sys.stdout.write(f"{each.name}: {each.count} hold\n")
            PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), catalogue()), encoding="utf-8")


def run_soak(world: World, rows: int, seed: int) -> None:
    """One sync of many rows with a fault in about each tenth request, then a clean run; time is bounded by the rows."""
    started = time.monotonic()
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    case = world.case("people", chance, rows=rows, items=250, in_flight=8)
    faults: list[Rule] = [{"status": 503, "apply": True}, {"status": 429, "retry_after": 1}, {"drop": "after_apply"}]
    faults += [{"drop": "during_answer"}, {"truncate_body": True}, {"not_json": True}, {"status": 500}]
    rules = [
        {"match": BATCH, "skip": chance.randint(5, 15), "do": chance.choice(faults)} for _ in range(rows // 250 // 10)
    ]
    refused = {row.identifier(case.kind) for row in case.shop.rows() if chance.random() < 0.001}
    refuse = {"match": BATCH, "always": True, "do": {"refuse_items": {"ids": sorted(refused)}}}
    case.sandbox.faults([*rules, refuse])
    report = books_are_true(case, case.run(), refused=refused)
    assert report.status is (Status.SOME_ROWS_FAILED if refused else Status.COMPLETED)
    a_clean_run_mends_everything(case)
    shown = f"{rows:,} rows, {len(rules):,} faults, {len(refused):,} refused rows: all held"
    sys.stdout.write(f"{shown}, in {time.monotonic() - started:.0f} s\n")


if __name__ == "__main__":
    main()
