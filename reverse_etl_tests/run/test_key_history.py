"""What was acknowledged of a row, when and by which run, for as long as values are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reverse_etl.changes.history import Acknowledged
from reverse_etl.errors import ConfigError
from reverse_etl.report import Status
from reverse_etl.run.key_history import history_of_key
from reverse_etl.state.snapshots import snapshot_of
from reverse_etl_tests.faults.completed import ended
from reverse_etl_tests.faults.runs import Case
from reverse_etl_tests.run.test_compare import change, compared
from reverse_etl_tests.run.test_values import remembering
from reverse_etl_tests.servers.sandbox import RunningSandbox


@pytest.fixture
def case(tmp_path: Path, sandbox: RunningSandbox) -> Case:
    """A sync of people that remembers values, and has completed once, with the plan of all people free."""
    case = remembering(compared(tmp_path, sandbox))
    with case.shop.changing() as database:
        database.execute("UPDATE shop SET plan = 'free', visits = 1")
    assert Status.COMPLETED is ended(case.run()).status
    return case


def history(case: Case, key: str = "p3") -> list[Acknowledged]:
    """What was acknowledged of a row."""
    return history_of_key(case.sync, case.home, case.store, key)


def test_every_change_is_there_with_its_run(case: Case) -> None:
    """The newest first, without runs of other rows; a value whose answer was lost is not known."""
    first = snapshot_of(case.store, case.name).made_by
    change(case, 3, "gold")
    second = ended(case.run()).run_id
    change(case, 4, "gold")
    case.run()
    found = [(each.run_id, each.attributes) for each in history(case)]
    new = {"email": (None, '"p3@example.com"'), "plan": (None, '"free"'), "visits": (None, "1")}
    assert [(second, {"plan": ('"free"', '"gold"')}), (first, new)] == found
    change(case, 3, "silver")
    batch = {"path": "/api/v2/batch"}
    case.sandbox.faults([{"match": batch, "always": True, "do": {"status": 401, "apply": True}}])
    lost = ended(case.run()).run_id
    case.sandbox.clear_faults()
    case.sync = case.sync.model_copy(update={"version": "another"})
    last = ended(case.run()).run_id
    assert [(last, {"plan": (None, '"silver"')}), (lost, {"plan": ('"gold"', None)})] == [
        (each.run_id, each.attributes) for each in history(case)[:2]
    ]
    assert [] == history(case, "nobody")


@pytest.mark.parametrize(("kind", "key"), [("objects", "p3"), ("emails", "P3@Example.com")])
def test_objects_and_addresses_are_found(kind: str, key: str, tmp_path: Path, sandbox: RunningSandbox) -> None:
    """An address in any case, as Customer.io compares them."""
    case = remembering(compared(tmp_path, sandbox, kind))
    ended(case.run())
    assert 1 == len(history(case, key))


@pytest.mark.thorough
def test_values_are_kept_as_long_as_the_file_says(case: Case) -> None:
    """Fingerprints are not, and what the kept ones build on stays."""
    for plan in ("gold", "silver", "free"):
        change(case, 3, plan)
        case.run()
    folder = case.home.snapshots / case.name
    assert ["made.json", "rows.values.parquet"] == sorted(each.name for each in (folder / "g000001").iterdir())
    assert 4 == len(history(case))
    for number in (1, 2):
        made = folder / f"g{number:06d}" / "made.json"
        made.write_text(json.dumps(json.loads(made.read_text()) | {"read_at": 0}))
    change(case, 3, "gold")
    case.run()
    assert (["g000001"], ["g000004", "g000005"]) == (
        [path.name for path in sorted(folder.iterdir())][:1],
        [path.name for path in sorted(folder.iterdir())][-2:],
    )


@pytest.mark.thorough
def test_files_of_runs_before_all_was_forgotten_are_no_history(case: Case) -> None:
    """Their numbers come again: what is of another run does not count."""
    change(case, 3, "gold")
    case.run()
    with case.store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM reverse_etl_snapshot")
    case.run()
    assert 1 == len(history(case))


def test_a_sync_that_keeps_nothing_says_how_it_would(case: Case) -> None:
    """The key to write in its file."""
    case.sync = case.sync.model_copy(update={"changes": case.sync.changes.model_copy(update={"keep": None})})
    with pytest.raises(ConfigError, match="remembers no values") as error:
        history(case)
    assert "keep: 30d" in error.value.hint
