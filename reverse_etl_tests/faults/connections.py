"""Connections that break, workspaces that go away, and everything at once."""

from __future__ import annotations

import random
import threading
from pathlib import Path

from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.report import Status
from reverse_etl_tests.faults.answers import Rule, gives_up, outlasts, spoilt
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.refusals import BATCH
from reverse_etl_tests.faults.runs import World
from reverse_etl_tests.faults.shop import KINDS
from reverse_etl_tests.faults.truth import a_clean_run_mends_everything, books_are_true, everything_arrived
from reverse_etl_tests.servers.sandbox import running_sandbox, wait_until

_SEGMENTS = {"path": "/api/v1/segments"}
_DROPS = ("before", "during_request", "before_apply", "after_apply", "during_answer")
_ANY = (
    {"status": 429, "retry_after": 2},
    {"status": 503, "apply": True},
    {"status": 500},
    {"not_json": True},
    {"truncate_body": True},
    {"status": 207, "apply": True, "body": '{"errors":['},
    *({"drop": drop} for drop in _DROPS),
)


@family(60)
def dropped_connections(world: World, chance: random.Random, seed: int) -> None:
    """Reset before the request, in its body, after it, after it was applied, in the answer; each tenth never ends."""
    wide = chance.choice([0, 0, 900])
    case = world.case(KINDS[seed % len(KINDS)], chance, wide=wide, items=chance.randint(1, 40 if wide else 8))

    def do() -> Rule:
        return {"drop": chance.choice(_DROPS)}

    if seed % 10 == 9:
        gives_up(case, chance, [{"match": BATCH, "skip": chance.randint(0, 1), "always": True, "do": do()}])
    else:
        outlasts(case, spoilt(chance, do))


@family(24, at_once=12)
def trouble_around_the_rows(world: World, chance: random.Random, seed: int) -> None:
    """Faults of the requests before and after the rows: region, segment by name, segment members."""
    case = world.case("related", chance)
    paths = ({"path": "/api/v1/accounts/region"}, {"path": "/v1/segments"}, _SEGMENTS)

    def do() -> Rule:
        return chance.choice([{"status": 429, "retry_after": 1}, {"status": 503}, {"drop": chance.choice(_DROPS)}])

    outlasts(case, spoilt(chance, do, path=paths[seed % 3]))


@family(60)
def everything_at_once(world: World, chance: random.Random, seed: int) -> None:
    """Several kinds of faults in one run, with rows that a check rejects and rows that the workspace refuses."""
    case = world.case(KINDS[seed % len(KINDS)], chance, rows=chance.randint(15, 60))
    rows = case.shop.rows()
    refused = {row.identifier(case.kind) for row in rows if chance.random() < 0.1}
    bad = [row for row in rows if chance.random() < 0.1 and row.identifier(case.kind) not in refused]
    with case.shop.changing() as database:
        database.executemany("UPDATE shop SET plan = ? WHERE rowid = ?", [("x" * 1001, row.number) for row in bad])
    rejected = {row.identifier(case.kind) for row in bad}
    rules = [rule for _ in range(3) for rule in spoilt(chance, lambda: chance.choice(_ANY))]
    refuse = {"match": BATCH, "always": True, "do": {"refuse_items": {"ids": sorted(refused)}}}
    case.sandbox.faults([*rules, refuse] if refused else rules)
    books_are_true(case, case.run(), refused=refused, rejected=rejected)
    with case.shop.changing() as database:
        database.executemany("UPDATE shop SET plan = 'mended' WHERE rowid = ?", [(row.number,) for row in bad])
    a_clean_run_mends_everything(case)


@family(8, at_once=4)
def workspace_restarts(world: World, chance: random.Random, seed: int) -> None:
    """The workspace's server is killed before or after it applied a request, and is back while the run continues."""
    with running_sandbox(
        data_file=world.folder / f"contents_{seed}.jsonl", durable=True, keep_bodies=True, app_rate_limit=0
    ) as sandbox:
        case = world.case(KINDS[seed % len(KINDS)], chance, rows=20, items=2, sandbox=sandbox)
        crash = {"crash": chance.choice(["before", "after_apply"])}
        sandbox.faults([{"match": BATCH, "skip": chance.randint(0, 7), "do": crash}])

        def start_again() -> None:
            wait_until(sandbox.has_ended, timeout_s=30)
            sandbox.restart()

        back = threading.Thread(target=start_again)
        back.start()
        # Time that passes for real, since the server needs it; the policy's waits are those of a slow network.
        report = books_are_true(case, case.run(clock=Clock()))
        back.join()
        assert report.status is Status.COMPLETED
        everything_arrived(case)
        a_clean_run_mends_everything(case)
    Path(world.folder / f"contents_{seed}.jsonl").unlink(missing_ok=True)
