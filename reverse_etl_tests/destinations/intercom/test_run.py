"""What a sync does to a workspace, and what it says where it cannot."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import Parts, with_row_numbers
from reverse_etl.config.environment import Secret
from reverse_etl.delivery.deliver import deliver
from reverse_etl.destinations.intercom import steps
from reverse_etl.destinations.intercom.destination import opened
from reverse_etl.errors import ConfigError, DestinationRefusedError, UnauthorizedError
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import Outcome
from reverse_etl.sources.base import marked
from reverse_etl_tests.destinations.intercom.configs import sync, workspace
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.servers.saas import RunningStandin, Saas

JSON_COLUMNS = frozenset({"user_tags", "more"})


class Support:
    """Delivers rows to a workspace, as a run does."""

    def __init__(self, standin: RunningStandin, folder: Path) -> None:
        self.standin = standin
        self.folder = folder
        self.time = FastClock()
        self.parts = Parts(folder / "rows", "rows")

    def deliver(
        self, rows: list[dict[str, Any]], config: dict[str, Any] | None = None, **section: Any
    ) -> list[Outcome]:
        """The outcome of each row."""
        batch = pa.RecordBatch.from_pylist(rows)
        fields = [marked(each.name, "json") if each.name in JSON_COLUMNS else each for each in batch.schema]
        batch = pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema(fields))
        self.parts = Parts(self.folder / f"{len([*self.folder.iterdir()])}" / "rows", "rows")
        self.parts.write(with_row_numbers([batch]))
        clock = self.time.clock()

        async def run() -> None:
            settings = workspace(self.standin.url, **(config or {}))
            async with opened(sync(**section), settings, batch.schema.names, clock=clock) as destination:
                await destination.prepare()
                patience = Patience(RetryPolicy(), name=destination.name, clock=clock)
                outcomes = self.parts.outcomes(len(rows))
                await deliver(self.parts, outcomes, destination, patience=patience, clock=clock)

        asyncio.run(run())
        return [Outcome(each) for each in self.parts.outcomes(len(rows)).tolist()]

    def reasons(self) -> dict[int, tuple[str, str]]:
        """Why rows failed, and by which column."""
        return {row.row_number: (row.why.reason, row.why.field) for row in self.parts.failed()}

    def contacts(self) -> dict[str, dict[str, Any]]:
        """Those that are there, by external id or else by e-mail address."""
        found = self.standin.records("contacts", limit=1_000)
        return {each["external_id"] or each["email"]: each for each in found}


@pytest.fixture
def support(saas: Saas, tmp_path: Path) -> Support:
    """An empty workspace."""
    return Support(saas("intercom"), tmp_path)


def test_contacts_are_added_and_changed(support: Support) -> None:
    """Columns are Intercom's own fields or custom attributes; empty ones are left out or cleared."""
    rows = [{"external_id": "c1", "name": "Ann", "plan": "pro", "seats": 5}, {"external_id": "c2", "name": "Bob"}]
    assert [Outcome.DELIVERED] * 2 == support.deliver(rows)
    assert ("Ann", {"plan": "pro", "seats": 5}) == (
        support.contacts()["c1"]["name"],
        support.contacts()["c1"]["custom_attributes"],
    )
    rows = [{"external_id": "c1", "plan": None, "score": 1.5}]
    support.deliver(rows)
    assert "pro" == support.contacts()["c1"]["custom_attributes"]["plan"]
    support.deliver(rows, empty_values="clear")
    assert (None, 1.5) == tuple(support.contacts()["c1"]["custom_attributes"].get(name) for name in ("plan", "score"))


@pytest.mark.parametrize(
    ("write", "outcomes", "there"),
    [
        ("update_only", [Outcome.DELIVERED, Outcome.EXCLUDED], {"c1": "new"}),
        ("add_only", [Outcome.EXCLUDED, Outcome.DELIVERED], {"c1": "old", "c2": "new"}),
        ("add_and_update", [Outcome.DELIVERED, Outcome.DELIVERED], {"c1": "new", "c2": "new"}),
    ],
)
@pytest.mark.parametrize("by", ["external_id", "email"])
def test_only_contacts_that_exist_or_do_not(
    support: Support, by: str, write: str, outcomes: list[Outcome], there: dict[str, str]
) -> None:
    """The others are left out; with add_and_update none is."""
    at = "" if by == "external_id" else "@example.com"
    support.standin.set(search_lag_s=0)
    support.standin.put("contacts", {by: f"c1{at}", "name": "old", "role": "user"})
    assert outcomes == support.deliver([{by: f"c{n}{at}", "name": "new"} for n in (1, 2)], identify_by=by, write=write)
    assert {f"{key}{at}": name for key, name in there.items()} == {
        key: each["name"] for key, each in support.contacts().items()
    }


def test_an_address_of_several_contacts_is_not_guessed_among(support: Support) -> None:
    """The row is refused, and none of them is written."""
    support.standin.set(search_lag_s=0)
    for n in (1, 2):
        support.standin.put("contacts", {"external_id": f"x{n}", "email": "a@example.com", "name": "old"})
    assert [Outcome.REFUSED] == support.deliver([{"email": "a@example.com", "name": "new"}], identify_by="email")
    assert ({1: ("several_matches", "email")}, {"old"}) == (
        support.reasons(),
        {each["name"] for each in support.contacts().values()},
    )


@pytest.mark.parametrize(("by", "path"), [("email", "/contacts/search"), ("external_id", "/contacts/find_by")])
@pytest.mark.parametrize("write", ["add_only", "update_only"])
def test_a_refused_look_up_is_no_proof_that_nobody_is_there(support: Support, write: str, by: str, path: str) -> None:
    """The row is refused: no twin is made, and nothing is left out in silence."""
    support.standin.faults({"match": {"path": path}, "always": True, "do": {"status": 400}})
    assert [Outcome.REFUSED] == support.deliver([{by: "a@example.com"}], identify_by=by, write=write)
    assert {} == support.contacts()


def test_an_archived_contact_is_refused_or_restored(support: Support) -> None:
    """As the sync says."""
    support.standin.put("contacts", {"external_id": "c1", "name": "old", "archived": True})
    rows = [{"external_id": "c1", "name": "new"}]
    assert [Outcome.REFUSED] == support.deliver(rows)
    assert {1: ("archived", "")} == support.reasons()
    assert [Outcome.DELIVERED] == support.deliver(rows, archived="restore")
    assert (False, "new") == (support.contacts()["c1"]["archived"], support.contacts()["c1"]["name"])


def test_tags_with_a_prefix_are_replaced(support: Support) -> None:
    """Others stay; a list that is empty takes them off, and none leaves them as they are unless empty values clear."""
    support.standin.put("contacts", {"external_id": "c1", "tags": ["health_red", "vip"]})
    tags = {"column": "user_tags", "replace": ["health_"]}
    support.deliver([{"external_id": "c1", "user_tags": '["health_green","new"]'}], tags=tags)
    assert ["health_green", "new", "vip"] == sorted(support.contacts()["c1"]["tags"])
    support.deliver([{"external_id": "c1", "user_tags": None}, {"external_id": "c2", "user_tags": "[]"}], tags=tags)
    assert ["health_green", "new", "vip"] == sorted(support.contacts()["c1"]["tags"])
    support.deliver([{"external_id": "c1", "user_tags": "[]"}], tags=tags)
    assert ["new", "vip"] == sorted(support.contacts()["c1"]["tags"])


def test_a_tag_that_cannot_be_taken_off_refuses_its_row(support: Support) -> None:
    """It is not called delivered with the old tag still on."""
    support.standin.put("contacts", {"external_id": "c1", "tags": ["health_red"]})
    support.standin.faults({"match": {"path": "/contacts/", "method": "DELETE"}, "do": {"status": 400}})
    tags = {"column": "user_tags", "replace": ["health_"]}
    assert [Outcome.REFUSED] == support.deliver([{"external_id": "c1", "user_tags": "[]"}], tags=tags)


def test_attributes_can_come_in_one_column(support: Support) -> None:
    """A JSON object; one that does not exist refuses the row, with its name."""
    rows = [{"external_id": "c1", "more": '{"plan":"pro"}'}, {"external_id": "c2", "more": '{"plam":"pro"}'}]
    assert [Outcome.DELIVERED, Outcome.REFUSED] == support.deliver(rows, attributes="more")
    assert ({"plan": "pro"}, {2: ("parameter_invalid", "plam")}) == (
        support.contacts()["c1"]["custom_attributes"],
        support.reasons(),
    )


def test_a_contact_joins_its_company(support: Support) -> None:
    """A company stays invisible until somebody belongs to it."""
    support.deliver([{"company_id": "acme", "name": "Acme", "seats": 3}], object="companies")
    support.deliver([{"external_id": "c1", "firm": "acme"}, {"external_id": "c2", "firm": None}], company="firm")
    assert [("acme", "Acme", 1)] == [
        (each["company_id"], each["name"], each["contacts"]) for each in support.standin.records("companies")
    ]


@pytest.mark.parametrize(("gone", "there"), [("archive", {"c1": True, "c2": False}), ("delete", {"c2": False})])
def test_contacts_that_are_gone_are_taken_away(support: Support, gone: str, there: dict[str, bool]) -> None:
    """Those who are gone already are left out."""
    support.deliver([{"external_id": "c1"}, {"external_id": "c2"}])
    rows = [{"external_id": key, "deleted": deleted} for key, deleted in (("c1", True), ("c2", False), ("c3", True))]
    assert [Outcome.DELIVERED, Outcome.DELIVERED, Outcome.EXCLUDED] == support.deliver(rows, gone=gone)
    assert there == {key: each["archived"] for key, each in support.contacts().items()}


def test_values_that_do_not_fit_are_rejected_before_they_are_sent(support: Support) -> None:
    """With their column; whether it takes a text that is none of the options, Intercom says itself."""
    rows = [{"external_id": "c1", "tier": "gold", "plan": "x"}, {"external_id": "c2", "tier": "lead", "plan": "x"}]
    rows.append({"external_id": "c3", "tier": "gold", "plan": "x" * 256})
    assert [Outcome.DELIVERED, Outcome.REFUSED, Outcome.REJECTED] == support.deliver(rows)
    assert {2: ("parameter_invalid", "tier"), 3: ("too_long", "plan")} == support.reasons()


def test_an_attribute_that_there_is_not_ends_the_run_before_the_first_row(support: Support) -> None:
    """With the nearest one."""
    with pytest.raises(ConfigError, match="no attribute plam") as raised:
        support.deliver([{"external_id": "c1", "plam": "pro"}])
    assert ("plan" in str(raised.value.hint), {}) == (True, support.contacts())


def test_a_window_that_is_used_up_is_waited_for(support: Support) -> None:
    """Until the time in its header, or a second where that has passed."""
    rule = {"match": {"path": "/contacts"}, "do": {"own": "rate_limited", "details": {"reset_in_s": -5}}}
    support.standin.faults(rule)
    assert [Outcome.DELIVERED] == support.deliver([{"external_id": "c1"}])
    assert any(1.0 <= each < 2.0 for each in support.time.slept_s)


def test_every_call_of_a_row_counts_for_the_rate(support: Support) -> None:
    """A contact that is there takes two calls: rows arrive at half the rate."""
    support.standin.put("contacts", *({"external_id": f"c{n}"} for n in range(6)))
    began_at = support.time.now_s
    rows = [{"external_id": f"c{n}", "score": 1.5} for n in range(6)]
    assert [Outcome.DELIVERED] * 6 == support.deliver(rows, {"requests_per_second": 2, "max_requests_in_flight": 1})
    assert support.time.now_s - began_at > 5.0


def test_who_may_not_is_told_so(support: Support, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent, without showing a secret; another region is named."""
    monkeypatch.setenv("REVERSE_ETL_TESTS_OTHER_KEY", "planted")
    token = Secret("${REVERSE_ETL_TESTS_OTHER_KEY}")
    with pytest.raises(UnauthorizedError, match="refused the access token") as raised:
        support.deliver([{"external_id": "c1"}], {"access_token": token})
    assert "planted" not in f"{raised.value} {raised.value.hint}"
    with pytest.raises(DestinationRefusedError, match="region us") as refused:
        support.deliver([{"external_id": "c1"}], {"region": "eu"})
    assert "region: us" in str(refused.value.hint)
    found = {step.name: step.ok for step in steps(workspace(support.standin.url))}
    assert {"connection": True, "credentials": True, "account": True} == found
