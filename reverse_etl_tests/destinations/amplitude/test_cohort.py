"""Members of a cohort: found or made by its name, added and taken out, and each row's honest outcome."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import ROW_NUMBER
from reverse_etl.config.environment import Secret
from reverse_etl.config.loader import load_project
from reverse_etl.destinations import amplitude
from reverse_etl.destinations.amplitude import cohort
from reverse_etl.destinations.amplitude.members import Changes
from reverse_etl.destinations.base import Accepted, Answer, TryAgain
from reverse_etl.errors import ConfigError, ConfigProblemsError
from reverse_etl_tests.destinations.amplitude.configs import MEMBERS, project, sync
from reverse_etl_tests.servers.saas import RunningStandin, Saas


@pytest.fixture
def standin(saas: Saas) -> RunningStandin:
    """A project that knows two users."""
    running = saas("amplitude")
    running.put("users", {"user_id": "user-1"}, {"user_id": "user-2"})
    return running


def numbered(**columns: list[Any]) -> pa.RecordBatch:
    """Rows with their numbers."""
    [first, *_] = columns.values()
    return pa.record_batch({**columns, ROW_NUMBER: pa.array(range(1, len(first) + 1), pa.int64())})


def sent(standin: RunningStandin, batch: pa.RecordBatch, config: dict[str, Any] | None = None, **more: Any) -> Answer:
    """What becomes of rows that are sent in one request."""

    async def run() -> Answer:
        names = batch.schema.names[:-1]
        section = sync(**(MEMBERS if config is None else config) | more)
        async with cohort.opened(section, project(standin.url), names) as destination:
            await destination.prepare()
            return await destination.send(destination.items(batch, "rows"))

    return asyncio.run(run())


def members(standin: RunningStandin) -> list[list[str]]:
    """Those of each cohort."""
    return [each["members"] for each in standin.records("cohorts")]


def test_a_cohort_is_made_once_and_its_members_are_added_and_taken_out(standin: RunningStandin) -> None:
    """Who is not known to Amplitude is left out, and nobody else; the cohort keeps whom no row is about."""
    answer = sent(standin, numbered(user_id=["user-1", "user-9", "user-2"]))
    assert isinstance(answer, Accepted)
    assert [(1, "unknown_user")] == [(each.place, each.why.reason) for each in answer.excluded]
    assert [["user-1", "user-2"]] == members(standin)
    rows = numbered(user_id=["user-1", "user-8"], deleted=[True, True])
    answer = sent(standin, rows, gone="remove")
    assert isinstance(answer, Accepted)
    assert [(1, "already_gone")] == [(each.place, each.why.reason) for each in answer.excluded]
    assert [["user-2"]] == members(standin)


def test_a_cohort_is_not_made_without_an_owner_and_not_chosen_among_several(standin: RunningStandin) -> None:
    """What to do is said; nothing is changed."""
    named = {"send": "cohort", "cohort": {"name": "At risk"}}
    with pytest.raises(ConfigError, match="has no cohort `At risk`") as caught:
        sent(standin, numbered(user_id=["user-1"]), named)
    assert "`owner` and `app_id`" in caught.value.hint
    assert [] == members(standin)
    standin.put("cohorts", {"name": "At risk"}, {"name": "At risk"})
    with pytest.raises(ConfigError, match="2 cohorts"):
        sent(standin, numbered(user_id=["user-1"]), named)
    sent(standin, numbered(user_id=["user-1"]), {"send": "cohort", "cohort": {"id": "c000002"}})
    assert [[], ["user-1"]] == members(standin)


def test_a_cohort_that_is_not_there_ends_the_run(standin: RunningStandin) -> None:
    """Its id is another project's, say."""
    with pytest.raises(ConfigError, match="no cohort c9 any more"):
        sent(standin, numbered(user_id=["user-1"]), {"send": "cohort", "cohort": {"id": "c9"}})


def test_a_member_has_no_properties(standin: RunningStandin) -> None:
    """A column that would be dropped without a word is a mistake of the sync's."""
    with pytest.raises(ConfigError, match="has no `plan`"):
        sent(standin, numbered(user_id=["user-1"], plan=["pro"]))


def test_the_secret_key_is_needed_and_tried(standin: RunningStandin, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a run and by `test-connection`, which tries the other key first."""
    config = project(standin.url)
    *_, step = amplitude.steps(config)
    assert ("cohorts", True, "0 are there to be changed") == (step.name, step.ok, step.detail)
    with pytest.raises(ConfigError, match="secret key"):
        asyncio.run(_open(config.model_copy(update={"secret_key": None})))
    monkeypatch.setenv("OTHER_KEY", "other")
    config = config.model_copy(update={"secret_key": Secret("${OTHER_KEY}")})
    *_, step = amplitude.steps(config)
    assert (False, True) == (step.ok, "secret_key" in step.hint)


async def _open(config: Any) -> None:
    async with cohort.opened(sync(**MEMBERS), config, ["user_id"]):
        pass


@pytest.mark.parametrize(
    "read",
    [
        None,
        {"memberships_result": []},
        {"memberships_result": [{"skipped_ids": []}]},
        {"memberships_result": [{"skipped_ids": []}, {"skipped_ids": None}]},
        {"memberships_result": [{"skipped_ids": ["user-2"]}, {"skipped_ids": []}]},
        {"memberships_result": [{"skipped_ids": [], "operation": "REMOVE"}, {"skipped_ids": []}]},
    ],
)
def test_an_answer_that_does_not_tell_of_each_operation_settles_nothing(read: Any) -> None:
    """No row is called delivered by it."""
    changes = Changes.of([b'{"id":"user-1"}', b'{"id":"user-2","remove":true}'])
    assert isinstance(changes.answer(read), TryAgain)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"send": "cohort"}, "needs `cohort`"),
        ({"send": "cohort", "cohort": {}}, "needs `id` or `name`"),
        ({"send": "cohort", "cohort": {"id": "c1", "name": "At risk"}}, "not both"),
        ({"send": "cohort", "cohort": {"id": "c1", "app_id": 7}}, "a cohort with an id exists"),
        ({"send": "cohort", "cohort": {"name": "At risk", "app_id": 7}}, "needs both"),
        ({**MEMBERS, "identify_by": "device_id"}, "is user_id"),
        ({**MEMBERS, "set_once": ["plan"]}, "a member has none"),
        ({"cohort": {"id": "c1"}}, "goes with `send: cohort`"),
        ({"gone": "remove"}, "privacy request"),
    ],
)
def test_what_does_not_fit_is_said(section: dict[str, Any], said: str) -> None:
    """Before anything runs."""
    with pytest.raises(ValueError, match=said):
        sync(**section)


def test_another_cohort_is_another_place() -> None:
    """Who was acknowledged as a member of one is sent to the other all the same."""
    one, other = (sync(send="cohort", cohort={"name": name}) for name in ("At risk", "Safe"))
    assert amplitude.identity(one, "rows") != amplitude.identity(other, "rows")


@pytest.mark.parametrize(("other", "problems"), [("Safe", 0), ("At risk", 1)])
def test_only_syncs_of_one_cohort_are_in_each_others_way(tmp_path: Path, other: str, problems: int) -> None:
    """Whom the other sends is not known: of the same cohort, members would be taken out that it has added."""
    entry = "destinations: {analytics: {type: amplitude, api_key: '${KEY}', secret_key: '${SECRET}'}}\n"
    (tmp_path / "connections.yaml").write_text(f"databases: {{shop: {{type: sqlite, path: shop.db}}}}\n{entry}")
    head = "database: shop\ndestination: analytics\nschedule: manual\nquery: SELECT user_id FROM customers\n"
    one = "changes: {by: compare}\namplitude: {send: cohort, cohort: {name: At risk}, gone: remove}\n"
    (tmp_path / "one.yaml").write_text(head + one)
    (tmp_path / "two.yaml").write_text(f"{head}amplitude: {{send: cohort, cohort: {{name: {other}}}}}\n")
    found = ""
    try:
        load_project(tmp_path)
    except ConfigProblemsError as error:
        found = str(error)
    assert problems == found.count("sync two sends cohort to analytics too"), found
