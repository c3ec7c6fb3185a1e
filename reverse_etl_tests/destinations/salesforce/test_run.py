"""What a sync does to an org, and what it says where it cannot."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import Parts, with_row_numbers
from reverse_etl.config.environment import Secret
from reverse_etl.delivery.deliver import deliver
from reverse_etl.destinations.base import Accepted
from reverse_etl.destinations.salesforce import steps
from reverse_etl.destinations.salesforce.destination import opened
from reverse_etl.errors import (
    CallsUsedUpError,
    ConfigError,
    DestinationRefusedError,
    UnauthorizedError,
)
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import Outcome
from reverse_etl_tests.destinations.salesforce.configs import org, sync
from reverse_etl_tests.destinations.scripted import FastClock
from reverse_etl_tests.servers.saas import RunningStandin, Saas


@pytest.fixture
def salesforce(saas: Saas) -> RunningStandin:
    """A new org."""
    return saas("salesforce")


class Org:
    """Delivers rows to an org, as a run does."""

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
        self.parts = Parts(self.folder / f"{len([*self.folder.iterdir()])}" / "rows", "rows")
        self.parts.write(with_row_numbers([batch]))
        time = self.time.clock()

        async def run() -> None:
            opening = opened(sync(**section), org(self.standin.url, **(config or {})), batch.schema.names, clock=time)
            async with opening as destination:
                await destination.prepare()
                patience = Patience(RetryPolicy(), name=destination.name, clock=time)
                outcomes = self.parts.outcomes(len(rows))
                await deliver(self.parts, outcomes, destination, patience=patience, clock=time)

        asyncio.run(run())
        return [Outcome(each) for each in self.parts.outcomes(len(rows)).tolist()]

    def reasons(self) -> dict[int, tuple[str, str]]:
        """Why rows failed, and by which column."""
        return {row.row_number: (row.why.reason, row.why.field) for row in self.parts.failed()}

    def accounts(self, *names: str) -> list[tuple[Any, ...]]:
        """Fields of the accounts that are there."""
        held = [each for each in self.standin.records("Account", limit=1_000) if not each["IsDeleted"]]
        return sorted((tuple(each[name] for name in names) for each in held), key=str)


@pytest.fixture
def crm(salesforce: RunningStandin, tmp_path: Path) -> Org:
    """An empty org."""
    return Org(salesforce, tmp_path)


def account(number: str, **fields: Any) -> dict[str, Any]:
    """A row."""
    return {"Customer_No__c": number, "Name": f"Acme {number}", **fields}


def test_records_are_added_and_changed(crm: Org) -> None:
    """By the External ID; values arrive as what they are, empty ones are left out or cleared."""
    row = account("1", Phone="1", Health_Score__c=8.5, Is_Active__c=True)
    assert [Outcome.DELIVERED] == crm.deliver([row])
    assert [Outcome.DELIVERED] * 2 == crm.deliver([account("1", Phone=None), account("2", Phone="2")])
    assert [("1", "1", 8.5), ("2", "2", None)] == crm.accounts("Customer_No__c", "Phone", "Health_Score__c")
    crm.deliver([account("1", Phone=None), account("2", Phone="2")], empty_values="clear")
    assert [("1", None), ("2", "2")] == crm.accounts("Customer_No__c", "Phone")


def test_a_parent_is_named_by_its_key(crm: Org) -> None:
    """A column with a dot; a parent that is not there refuses the row."""
    crm.deliver([account("1")])
    rows = [account("2", **{"Parent.Customer_No__c": "1"}), account("3", **{"Parent.Customer_No__c": "9"})]
    assert [Outcome.DELIVERED, Outcome.REFUSED] == crm.deliver(rows)
    [(parent,)] = [each for each in crm.accounts("ParentId") if each[0]]
    assert parent.startswith("001")


@pytest.mark.parametrize(
    ("write", "outcomes", "names"),
    [
        ("update_only", [Outcome.DELIVERED, Outcome.EXCLUDED], [("1", "new")]),
        ("add_only", [Outcome.EXCLUDED, Outcome.DELIVERED], [("1", "old"), ("2", "new")]),
    ],
)
def test_only_records_that_exist_or_do_not(
    crm: Org, write: str, outcomes: list[Outcome], names: list[tuple[str, str]]
) -> None:
    """The others are left out."""
    crm.standin.put("Account", {"Customer_No__c": "1", "Name": "old"})
    rows = [account("1") | {"Name": "new"}, account("2") | {"Name": "new"}]
    assert outcomes == crm.deliver(rows, write=write)
    assert names == crm.accounts("Customer_No__c", "Name")


def test_many_rows_go_in_one_job(crm: Org) -> None:
    """Each has its own answer, found by its key; a value that a CSV means otherwise goes by the collections."""
    rows = [account(f"c{n}", Tier__c="Gold", Phone=None, AnnualRevenue="1") for n in range(2_100)]
    rows[6]["Tier__c"] = "Copper"
    rows[7]["AnnualRevenue"] = "10000000000000000000"
    rows[8]["Phone"] = "#N/A"
    rows[9]["Name"] = 'a "b", \nc'
    outcomes = crm.deliver(rows, empty_values="clear")
    assert ({7: Outcome.REJECTED, 8: Outcome.REFUSED}, Outcome.DELIVERED) == (
        {number: each for number, each in enumerate(outcomes, 1) if each is not Outcome.DELIVERED},
        outcomes[0],
    )
    assert {7: ("invalid_option", "Tier__c"), 8: ("NUMBER_OUTSIDE_VALID_RANGE", "AnnualRevenue")} == crm.reasons()
    [job] = crm.standin.records("jobs")
    assert (2_098, 1) == (job["numberRecordsProcessed"], job["numberRecordsFailed"])
    held = {each["Customer_No__c"]: each for each in crm.standin.records("Account", limit=3_000)}
    assert (2_098, "#N/A", 'a "b", \nc') == (len(held), held["c8"]["Phone"], held["c9"]["Name"])


def test_a_job_is_asked_for_soon_and_then_ever_less_often(crm: Org) -> None:
    """A small job does not wait for its next question longer than it takes; a long one uses few of the day's calls."""
    crm.standin.set(polls_until_done=30)
    assert [Outcome.DELIVERED] == crm.deliver([{"Customer_No__c": "C1", "Name": "Acme"}], via="bulk")
    waits = [each for each in crm.time.slept_s if each >= 0.1]
    assert (sorted(waits), True, 10.0) == (waits, waits[0] < 0.2, waits[-1])


@pytest.mark.parametrize("via", ["bulk", "collections"])
def test_a_job_that_nobody_continues_does_not_overwrite_newer_rows(crm: Org, via: str) -> None:
    """It is ended before the first of them is sent, whichever way they go."""
    old = next(with_row_numbers([pa.RecordBatch.from_pylist([account(f"c{n}") | {"Name": "old"} for n in range(3)])]))
    names = old.schema.names[:-1]

    async def killed() -> str:
        async with opened(sync(via="bulk"), org(crm.standin.url), names) as destination:
            job = await destination.open_job()
            assert isinstance(job, str)
            assert await destination.fill_job(job, names, [destination.job_rows(old)]) is None
            assert await destination.close_job(job) is None
            return job

    job = asyncio.run(killed())
    note = crm.folder / "killed" / "rows" / "jobs.json"
    note.parent.mkdir(parents=True)
    note.write_text(f'{{"job": "{job}", "rows": [[1, 3]]}}')
    crm.deliver([account(f"c{n}") | {"Name": "new"} for n in range(3)], via=via)
    assert ("Aborted", "null") == (
        {each["id"]: each["state"] for each in crm.standin.records("jobs")}[job],
        note.read_text(),
    )
    assert [("new",)] * 3 == crm.accounts("Name")


def test_what_a_job_has_not_touched_is_sent_again(crm: Org) -> None:
    """A job that failed has written a part; the rest goes in another one, or by the collections."""
    closing = {"path": "/services/data/v66.0/jobs", "method": "PATCH"}
    crm.standin.faults({"match": closing, "do": {"own": "job_fails"}})
    rows = [account(f"c{n}") for n in range(2_100)]
    assert {Outcome.DELIVERED} == {*crm.deliver(rows)}
    assert (2_100, "Failed") == (crm.standin.counts()["Account"], crm.standin.records("jobs")[0]["state"])


@pytest.mark.parametrize("write", ["update_only", "add_only"])
def test_a_key_can_be_a_number(crm: Org, write: str) -> None:
    """A number field, whatever the column's type; what is no number is of no record."""
    crm.standin.put("Account", {"Legacy_No__c": 7, "Name": "old"})
    rows: list[dict[str, Any]] = [{"Legacy_No__c": number, "Name": "new"} for number in ("7", "8")]
    outcomes = crm.deliver(rows, identify_by="Legacy_No__c", write=write)
    expected = [Outcome.DELIVERED, Outcome.EXCLUDED]
    assert (expected if write == "update_only" else expected[::-1]) == outcomes
    held = sorted((each["Legacy_No__c"], each["Name"]) for each in crm.standin.records("Account"))
    assert ([(7, "new")] if write == "update_only" else [(7, "old"), (8, "new")]) == held


def test_accounts_are_found_by_the_domain_of_an_address(crm: Org) -> None:
    """Exactly, however the website is written; of several, of none and of free mail, nothing is written."""
    sites = {
        "acme": "https://www.Acme.com/",
        "not acme": "notacme.com",
        "twin 1": "twin.io",
        "twin 2": "http://twin.io",
    }
    crm.standin.put("Account", *({"Name": name, "Website": site} for name, site in sites.items()))
    addresses = ["ann@acme.com", "bob@twin.io", "c@gmail.com", "d@nobody.example", "e", "F@ACME.com", "g@own.example"]
    by = {"domain_of": "email", "free_mail": ["own.example"]}
    rows = [{"email": address, "Health_Score__c": n} for n, address in enumerate(addresses, 1)]
    outcomes = crm.deliver(rows, {"max_requests_in_flight": 1}, identify_by=by, write="update_only")
    assert [
        Outcome.DELIVERED,
        Outcome.REFUSED,
        Outcome.EXCLUDED,
        Outcome.EXCLUDED,
        Outcome.REJECTED,
        Outcome.REFUSED,
        Outcome.EXCLUDED,
    ] == outcomes
    assert {2: ("several_matches", ""), 5: ("no_domain", ""), 6: ("same_record", "")} == crm.reasons()
    assert {("acme", 1), ("not acme", None), ("twin 1", None), ("twin 2", None)} == {
        (name, score) for name, score in crm.accounts("Name", "Health_Score__c")
    }


def test_rows_that_are_gone_are_deleted(crm: Org) -> None:
    """Beside rows that are written; what is gone already is left out."""
    crm.deliver([account("1"), account("2")])
    rows = [account("1", deleted=True), account("3", deleted=False), account("4", deleted=True)]
    assert [Outcome.DELIVERED, Outcome.DELIVERED, Outcome.EXCLUDED] == crm.deliver(rows, gone="delete")
    assert [("2",), ("3",)] == crm.accounts("Customer_No__c")


def test_records_are_deleted_for_good_where_the_user_may(crm: Org) -> None:
    """In a job; without the permission the run ends before the first row, and says which it is."""
    crm.deliver([account("1"), account("2")])
    rows = [account("1", deleted=True), account("3", deleted=False), account("4", deleted=True)]
    crm.standin.set(may_hard_delete=False)
    with pytest.raises(DestinationRefusedError) as caught:
        crm.deliver(rows, gone="hard_delete")
    assert "Bulk API Hard Delete" in caught.value.hint
    assert [("1",), ("2",)] == crm.accounts("Customer_No__c")
    crm.standin.set(may_hard_delete=True)
    assert [Outcome.DELIVERED, Outcome.DELIVERED, Outcome.EXCLUDED] == crm.deliver(rows, gone="hard_delete")
    assert [("2",), ("3",)] == crm.accounts("Customer_No__c")
    jobs = [each for each in crm.standin.records("jobs") if each["state"] == "JobComplete"]
    assert ["hardDelete"] == [each["operation"] for each in jobs]


def test_what_is_only_added_never_changes_a_record_that_another_program_added_meanwhile(crm: Org) -> None:
    """Also in a request with rows that are gone: it is inserted, and an upsert would have changed it."""
    crm.deliver([account("2")])

    async def sent() -> object:
        section = sync(write="add_only", gone="delete")
        async with opened(section, org(crm.standin.url), ["Customer_No__c", "Name", "deleted"]) as destination:
            await destination.prepare()
            crm.standin.put("Account", {"Customer_No__c": "1", "Name": "theirs"})
            rows = [account("1", deleted=False), account("2", deleted=True), account("3", deleted=False)]
            [batch] = with_row_numbers([pa.RecordBatch.from_pylist(rows)])
            return await destination.send_once(destination.items(batch, "rows"))

    answer = asyncio.run(sent())
    assert isinstance(answer, Accepted)
    assert [(0, "already_exists")] == [(each.place, each.why.reason) for each in answer.excluded]
    assert [("1", "theirs"), ("3", "Acme 3")] == crm.accounts("Customer_No__c", "Name")


@pytest.mark.parametrize("write", ["add_and_update", "add_only"])
@pytest.mark.parametrize(
    ("rules", "action", "outcomes"),
    [
        ("obey", "alert", [Outcome.REFUSED, Outcome.DELIVERED]),
        ("save", "alert", [Outcome.DELIVERED, Outcome.DELIVERED]),
        ("save", "block", [Outcome.REFUSED, Outcome.DELIVERED]),
    ],
)
def test_what_a_duplicate_rule_finds_is_refused_or_saved(
    crm: Org, write: str, rules: str, action: str, outcomes: list[Outcome]
) -> None:
    """Salesforce's code is the reason; a rule that blocks is not passed over."""
    crm.standin.put("Account", {"Customer_No__c": "9", "Name": "Acme 1"})
    crm.standin.set(duplicate_field="Name", duplicate_action=action)
    assert outcomes == crm.deliver([account("1"), account("2")], write=write, duplicate_rules=rules)
    refused = {1: ("DUPLICATES_DETECTED", "")} if Outcome.REFUSED in outcomes else {}
    assert refused == crm.reasons()


def test_look_ups_take_their_turns_among_the_requests(crm: Org) -> None:
    """What is asked of who is there already counts for the rate limit as what is sent does."""
    batch = pa.RecordBatch.from_pylist([account(f"{n:09}") for n in range(1_000)])
    crm.parts.write(with_row_numbers([batch]))
    clock = crm.time.clock()

    async def run() -> tuple[float, int]:
        patience = Patience(RetryPolicy(), name="crm", clock=clock)
        config = org(crm.standin.url, requests_per_second=1)
        opening = opened(sync(write="add_only"), config, batch.schema.names, clock=clock, patience=patience)
        async with opening as destination:
            await destination.prepare()
            before, asked = crm.time.now_s, calls()
            await deliver(crm.parts, crm.parts.outcomes(1_000), destination, patience=patience, clock=clock)
            return crm.time.now_s - before, calls() - asked

    def calls() -> int:
        return sum(each["requests"] for each in crm.standin.requests_by_path().values())

    took_s, requests = asyncio.run(run())
    assert requests >= 7
    assert took_s >= requests - 1


def test_alerts_are_saved_by_collections_alone(crm: Org) -> None:
    """Jobs have no word for it."""
    with pytest.raises(ValueError, match="jobs cannot save"):
        sync(via="bulk", duplicate_rules="save")
    rows = [account(str(n)) for n in range(2_001)]
    assert {Outcome.DELIVERED} == {*crm.deliver(rows, duplicate_rules="save")}
    assert 0 == crm.standin.counts()["jobs"]


def test_ids_that_differ_in_case_are_of_different_records(crm: Org) -> None:
    """Of 15 characters: each row changes its own record."""
    crm.standin.put("Account", *({"Customer_No__c": f"{n:02}", "Name": "old"} for n in range(40)))
    ids = {number: id_[:15] for number, id_ in crm.accounts("Customer_No__c", "Id")}
    lower = {id_.lower(): number for number, id_ in ids.items()}
    [(one, other)] = [(number, lower[id_.lower()]) for number, id_ in ids.items() if lower[id_.lower()] != number][:1]
    rows = [{"Id": ids[one], "Name": "one"}, {"Id": ids[other], "Name": "other"}]
    assert [Outcome.DELIVERED] * 2 == crm.deliver(rows, identify_by="Id", write="update_only")
    assert {one: "one", other: "other"} == {
        number: name for number, name in crm.accounts("Customer_No__c", "Name") if name != "old"
    }


def test_a_record_to_delete_that_is_in_doubt_is_deleted_again(crm: Org) -> None:
    """One that is there was not deleted; it is no proof that the row was applied, as it is of one to add."""
    crm.deliver([account("1")])

    async def fate() -> object:
        section = sync(write="add_only", gone="delete")
        async with opened(section, org(crm.standin.url), ["Customer_No__c", "deleted"]) as destination:
            await destination.prepare()
            return await destination.fate([b'{"gone":"1"}', b'{"Customer_No__c":"1"}'])

    answer = asyncio.run(fate())
    assert isinstance(answer, Accepted)
    assert [0] == [each.place for each in answer.again]


def test_a_bad_row_fails_alone(crm: Org) -> None:
    """Before it is sent where the object says so; otherwise with Salesforce's own code and the field."""
    rows = [account("1"), account("2", Tier__c="Copper"), account("3") | {"Name": "x" * 81}]
    rows = [{"Tier__c": None, "AnnualRevenue": 1, **row} for row in [*rows, account("4", AnnualRevenue=10**19)]]
    rows = [row | {"AnnualRevenue": str(row["AnnualRevenue"])} for row in rows]
    assert [Outcome.DELIVERED, Outcome.REJECTED, Outcome.REJECTED, Outcome.REFUSED] == crm.deliver(rows)
    assert {
        2: ("invalid_option", "Tier__c"),
        3: ("too_long", "Name"),
        4: ("NUMBER_OUTSIDE_VALID_RANGE", "AnnualRevenue"),
    } == crm.reasons()


def test_several_records_with_a_key_are_not_guessed_among(crm: Org) -> None:
    """The row is refused, and none of them is written."""
    crm.standin.put("Account", {"Region_Code__c": "N", "Name": "a"}, {"Region_Code__c": "N", "Name": "b"})
    rows = [{"Region_Code__c": "N", "Name": "c"}]
    assert [Outcome.REFUSED] == crm.deliver(rows, identify_by="Region_Code__c", write="update_only")
    assert ({1: ("several_matches", "")}, [("a",), ("b",)]) == (crm.reasons(), crm.accounts("Name"))


def test_locked_records_are_sent_again_in_smaller_requests(crm: Org) -> None:
    """A lock of another's is no row's fault."""
    crm.deliver([account("1")])
    crm.standin.faults({"match": {"path": "/services/data"}, "skip": 2, "do": {"own": "row_lock"}})
    rows = [account(str(n), **{"Parent.Customer_No__c": "1"}) for n in range(2, 12)]
    assert [Outcome.DELIVERED] * 10 == crm.deliver(rows)


def test_children_of_one_parent_go_in_turn(crm: Org) -> None:
    """Salesforce locks a parent while a child is written: of two requests at once, one would fail."""
    crm.deliver([account(f"p{n}") for n in range(3)])
    crm.standin.set(work_s=0.05)
    rows = [account(f"c{n}", **{"Parent.Customer_No__c": f"p{n % 3}"}) for n in range(45)]
    assert {Outcome.DELIVERED} == {*crm.deliver(rows, {"max_records_per_request": 5})}
    upserts = crm.standin.requests_by_path()
    assert 10 == sum(each["requests"] for path, each in upserts.items() if path.startswith("PATCH"))


@pytest.mark.parametrize(
    ("row", "section", "words"),
    [
        (account("1"), {"object": "Acount"}, "no object Acount"),
        (account("1", Helth_Score__c=1), {}, "no field Helth_Score__c"),
        (account("1", name="x"), {}, "no field name"),
        (account("1", Score_Band__c="x"), {}, "Score_Band__c of Account is read-only: it is calculated"),
        (account("1"), {"identify_by": "Name"}, "Name of Account is no External ID"),
        (account("1", **{"Prent.Customer_No__c": "1"}), {}, "no field Prent"),
        ({"Id": "1"}, {"identify_by": "Id"}, "goes with `write: update_only`"),
    ],
)
def test_what_the_org_does_not_have_is_found_before_the_first_row(
    crm: Org, row: dict[str, Any], section: dict[str, Any], words: str
) -> None:
    """With what to change."""
    with pytest.raises(ConfigError, match=words) as raised:
        crm.deliver([row], **section)
    assert raised.value.hint
    assert [] == crm.accounts("Name")


def test_the_days_calls_are_left_to_others(crm: Org) -> None:
    """A run ends before it uses what is not its own; rows without an answer are undelivered."""
    crm.standin.set(calls_a_day=20)
    rows = [account(str(n)) for n in range(40)]
    with pytest.raises(CallsUsedUpError, match="of the org's 20 calls of the last 24 hours") as raised:
        crm.deliver(rows, {"max_records_per_request": 1, "max_requests_in_flight": 1, "daily_calls_left": 50.0})
    assert "daily_calls_left" in str(raised.value.hint)
    assert 0 < len(crm.accounts("Name")) < 11
    assert {("calls_used_up", "")} == set(crm.reasons().values())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"client_secret": Secret("${REVERSE_ETL_TESTS_OTHER_KEY}")}, "refused to sign the app in .invalid_client"),
        ({"client_id": Secret("${REVERSE_ETL_TESTS_OTHER_KEY}")}, "refused to sign the app in .invalid_client_id"),
        ({"refresh_token": Secret("${REVERSE_ETL_TESTS_OTHER_KEY}")}, "refused to sign the app in .invalid_grant"),
    ],
)
def test_who_cannot_sign_in_is_told_so(
    crm: Org, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], words: str
) -> None:
    """Before anything is sent, without showing a secret."""
    monkeypatch.setenv("REVERSE_ETL_TESTS_OTHER_KEY", "planted")
    with pytest.raises(UnauthorizedError, match=words) as raised:
        crm.deliver([account("1")], settings)
    assert "planted" not in f"{raised.value} {raised.value.hint}"


def test_a_key_that_is_none_is_a_mistake_in_the_file(crm: Org, tmp_path: Path) -> None:
    """The file is named, its content is not."""
    (tmp_path / "key.pem").write_text("planted")
    from reverse_etl.config.environment import EnvText

    settings = {"private_key_file": tmp_path / "key.pem", "user": EnvText("sync@acme.example")}
    with pytest.raises(ConfigError, match="private key cannot be read") as raised:
        crm.deliver([account("1")], settings)
    assert "planted" not in f"{raised.value} {raised.value.hint}"


def test_a_connection_is_tested_step_by_step(salesforce: RunningStandin, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the org; the step that fails is the last and has its fix."""
    found = {step.name: step.ok for step in steps(org(salesforce.url))}
    assert {"connection": True, "credentials": True, "account": True} == found
    monkeypatch.setenv("REVERSE_ETL_TESTS_OTHER_KEY", "planted")
    [last] = steps(org(salesforce.url, client_secret=Secret("${REVERSE_ETL_TESTS_OTHER_KEY}")))
    assert ("credentials", False, True) == (last.name, last.ok, bool(last.hint))


def test_two_names_of_one_org_are_one_recipient(crm: Org) -> None:
    """By the org's id."""

    async def there() -> tuple[str, str]:
        async with opened(sync(), org(crm.standin.url), ["Customer_No__c"]) as destination:
            before = destination.recipient.environment
            await destination.prepare()
            return before, destination.recipient.environment

    before, after = asyncio.run(there())
    assert ("", True) == (before, after.startswith("00D"))
