"""Syncs that compare, over many runs: rows change, come back to earlier values and vanish while runs go wrong."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq

from reverse_etl.changeset.scope import Scope
from reverse_etl.report import Status
from reverse_etl.run.plan import make_plan
from reverse_etl.state.snapshots import snapshot_of
from reverse_etl_tests.faults.catalogue import family
from reverse_etl_tests.faults.refusals import BATCH
from reverse_etl_tests.faults.runs import Case, Ended, World

_ROWS = 5
_PLANS = ("free", None)
"""Two, so that values come back; NULL clears the attribute."""


@family(40, at_once=10)
def histories_compared(world: World, chance: random.Random, seed: int) -> None:
    """Rows change to and fro between runs that meet refusals, lost answers, 401, new file versions, `--full`, plans.

    Whole rows are sent, or the attributes that differ.
    """
    case = world.case("people", chance, rows=_ROWS, items=2, in_flight=chance.randint(1, 3), compare=True)
    people = case.sync.people
    assert people is not None
    send = chance.choice(["whole_rows", "changed_attributes"])
    gone = chance.choice(["nothing", "delete"])
    asked = people.model_copy(update={"empty_values": "delete", "send": send, "gone": gone, "gone_wait": timedelta()})
    clearing = case.sync.model_copy(update={"people": asked})
    case.sync = clearing
    stopped: Ended | None = None
    for step in range(chance.randint(4, 8)):
        _change(case, chance, vanish=gone == "delete")
        case.sandbox.faults(_faults(chance))
        if chance.random() < 0.5:
            # Rows that were read for another version of the file are not sent: what was left half sent is settled.
            case.sync = clearing.model_copy(update={"version": f"{seed} {step}"})
        ended = _run(case, chance, stopped)
        stopped = ended if ended.report is not None and ended.report.status is Status.FAILED else None
    case.sandbox.clear_faults()
    for _ in range(2):
        # The first may continue what an earlier one left.
        last = case.run()
        assert last.report is not None
        assert last.report.status is Status.COMPLETED, last.report.message
    there, wanted = _there(case), {row.id: (row.plan or None, row.visits) for row in case.shop.rows()}
    for left in there.keys() - wanted.keys() if gone == "delete" else ():
        # Of whom no row was ever acknowledged, nobody is deleted.
        assert _is_unknown(case, left), f"{left} is gone, was acknowledged, and is there"
        del there[left]
    assert wanted == there, f"not as the source: {sorted(wanted.items() ^ there.items(), key=str)}"
    before = len(case.sandbox.requests())
    again = case.run()
    assert again.report is not None
    assert (Status.COMPLETED, 0) == (again.report.status, again.report.total.delivered)
    assert not [each for each in case.sandbox.requests()[before:] if each["path"] == BATCH["path"]]


def _run(case: Case, chance: random.Random, stopped: Ended | None) -> Ended:
    """A run of its own, of everything, of a plan, or a re-execution of the one that stopped."""
    how = chance.random()
    if how < 0.15 and stopped is not None:
        return case.run(root=stopped.root_run_id)
    if how < 0.2:
        return case.run(scope=Scope(full=True))
    if how < 0.35:
        plan = make_plan(case.sync, case.home, case.store, case.database, case.workspace)
        if chance.random() < 0.5:
            _change(case, chance)
        return case.run(scope=Scope(plan=plan.plan_id))
    return case.run()


def _is_unknown(case: Case, person: str) -> bool:
    """Whether the store remembers a person as one who may have been sent, and was never acknowledged."""
    snapshot = snapshot_of(case.store, case.name)
    file = case.home.snapshots / case.name / f"g{snapshot.generation:06d}" / "rows.parquet"
    known = {row["key"][0]: row["known"] for row in pq.read_table(file).to_pylist() if row["key"]}
    return known.get(person) is False


def _change(case: Case, chance: random.Random, *, vanish: bool = False) -> None:
    with case.shop.changing() as database:
        if vanish:
            # Never all of them: a query without a row stops the run.
            for number in chance.sample(range(2, _ROWS + 1), chance.randint(0, 2)):
                gone = database.execute("DELETE FROM shop WHERE rowid = ?", [number]).rowcount
                if not gone:
                    values = (
                        number,
                        f"p{number}",
                        f"p{number}@example.com",
                        chance.choice(_PLANS),
                        chance.randrange(2),
                    )
                    database.execute("INSERT INTO shop (rowid, id, email, plan, visits) VALUES (?, ?, ?, ?, ?)", values)
        for number in chance.sample(range(1, _ROWS + 1), chance.randint(0, 3)):
            database.execute("UPDATE shop SET plan = ? WHERE rowid = ?", [chance.choice(_PLANS), number])
        for number in chance.sample(range(1, _ROWS + 1), chance.randint(0, 2)):
            database.execute("UPDATE shop SET visits = ? WHERE rowid = ?", [chance.randrange(2), number])


def _faults(chance: random.Random) -> list[dict[str, Any]]:
    """Nothing, or one or two of: refused rows, an answer lost after a request was applied, withdrawn credentials."""
    refused = [f"p{number}" for number in chance.sample(range(1, _ROWS + 1), 2)]
    known: list[dict[str, Any]] = [
        {"match": BATCH, "always": True, "do": {"refuse_items": {"ids": refused}}},
        {"match": BATCH, "skip": chance.randint(0, 2), "do": {"status": 500, "apply": True}},
        {"match": BATCH, "skip": chance.randint(0, 2), "do": {"drop": "after_apply"}},
        {"match": BATCH, "skip": chance.randint(0, 2), "always": True, "do": {"status": 401}},
        {"match": BATCH, "skip": chance.randint(0, 2), "always": True, "do": {"status": 401, "apply": True}},
    ]
    return chance.sample(known, chance.choice([0, 1, 1, 2, 3]))


def _there(case: Case) -> dict[str, tuple[str | None, int]]:
    """The plan and the visits of each person in the workspace."""
    found = {person["id"]: person["attributes"] for person in case.sandbox.people()}
    return {key: (attributes.get("plan") or None, attributes["visits"]) for key, attributes in found.items()}
