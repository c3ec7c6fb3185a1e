"""Every row has exactly one outcome, whatever the workspace answers, and none is called delivered by mistake."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse_etl.changeset.failed_rows import LEFT_BY_RUNS
from reverse_etl.changeset.parts import ROW_NUMBER, Parts, with_row_numbers
from reverse_etl.delivery import sender as sender_module
from reverse_etl.delivery import settling
from reverse_etl.delivery.deliver import deliver, leave_undelivered
from reverse_etl.destinations.base import Accepted, Answer
from reverse_etl.destinations.customerio.destination import open_destination
from reverse_etl.destinations.customerio.sync import Sync
from reverse_etl.errors import CallsUsedUpError, DestinationRefusedError, DestinationUnavailableError, UnauthorizedError
from reverse_etl.pacing.rate_limit import Clock
from reverse_etl.pacing.retry import Patience, RetryPolicy
from reverse_etl.report import Counts, FailedRow, Outcome, Reason
from reverse_etl_tests.delivery.workspaces import Blocking, Run, ScriptedWorkspace
from reverse_etl_tests.destinations.customerio.configs import sync, workspace
from reverse_etl_tests.destinations.scripted import HANG_UP, Asked, Said, scripted_server
from reverse_etl_tests.servers.sandbox import running_sandbox

PEOPLE = 23


def everyone(count: int = PEOPLE) -> set[str]:
    """Ids of all people."""
    return {str(n) for n in range(1, count + 1)}


@settings(max_examples=60, deadline=None)
@given(
    bad=st.frozensets(st.integers(1, PEOPLE)),
    whole=st.booleans(),
    most_items=st.integers(1, 30),
    in_flight=st.integers(1, 4),
)
def test_exactly_the_bad_rows_are_refused(bad: frozenset[int], whole: bool, most_items: int, in_flight: int) -> None:
    """Any subset, listed in a 207 or found by halving a 400: workspace, ledger and failed rows agree."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), PEOPLE)
        server = ScriptedWorkspace(bad=frozenset(map(str, bad)), whole=whole)
        told: list[tuple[int, ...]] = []
        delivered = run.deliver(
            server,
            progress=lambda *counts: told.append(counts),
            max_items_per_request=most_items,
            max_requests_in_flight=in_flight,
        )
        good = everyone() - server.bad
        assert sorted(good, key=int) == sorted(server.applied, key=int)
        assert (good, set(server.bad)) == (run.ids(Outcome.DELIVERED), run.ids(Outcome.REFUSED))
        assert Counts(extracted=PEOPLE, delivered=len(good), refused=len(bad)) == delivered.counts
        expected = [FailedRow(n, "rows", str(n), "customerio", Reason("invalid", "id", "bad one")) for n in sorted(bad)]
        assert expected == run.failed()
        assert (PEOPLE, len(bad), PEOPLE) == told[-1]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["503", "429", "408", "reset", "lost", "html", "half"]), max_size=8), st.integers(1, 4))
def test_trouble_neither_loses_nor_invents_rows(troubles: list[str], in_flight: int) -> None:
    """Faults before and after the request was applied: everyone arrives, and everyone is called delivered."""
    said = {
        "503": Said(503), "429": Said(429, b"", {"retry-after": "2"}), "408": Said(408), "reset": HANG_UP,
        "lost": HANG_UP, "html": Said(200, b"<html>"), "half": Said(207, b'{"errors": [{"batch_in'),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), PEOPLE)
        server = ScriptedWorkspace(
            before=[said[name] for name in troubles if name in ("503", "429", "408", "reset")],
            after=[said[name] for name in troubles if name in ("lost", "html", "half")],
        )
        delivered = run.deliver(server, max_items_per_request=5, max_requests_in_flight=in_flight)
        assert everyone() == set(server.applied) == run.ids(Outcome.DELIVERED)
        assert (len(troubles), []) == (delivered.retries, run.failed())
        assert len(server.applied) <= PEOPLE + 5 * len(troubles)


def test_retry_after_holds_every_worker_back(tmp_path: Path) -> None:
    """After a 429 that asks for 7 s no request is sent for 7 s."""
    run = Run(tmp_path, PEOPLE)
    at: list[float] = []
    answers = [Said(429, b"", {"retry-after": "7"})]

    def script(asked: Asked) -> Said | None:
        at.append(run.time.now_s - 1000)
        return answers.pop() if answers else Said(200)

    run.deliver(script, max_items_per_request=1, max_requests_in_flight=1)
    assert (0, 7) == pytest.approx((at[0], at[1]))
    assert PEOPLE + 1 == len(at)


def test_a_413_is_split_until_it_fits_and_order_is_kept(tmp_path: Path) -> None:
    """One worker: 23 people arrive in their order, in requests of the size that is taken."""
    run = Run(tmp_path, PEOPLE)
    server = ScriptedWorkspace(most_bytes=300)
    run.deliver(server, max_requests_in_flight=1)
    assert [str(n) for n in range(1, PEOPLE + 1)] == server.applied
    assert max(server.sizes) < PEOPLE
    assert everyone() == run.ids(Outcome.DELIVERED)


def test_an_item_that_alone_is_too_large_for_the_workspace_is_refused(tmp_path: Path) -> None:
    """A 413 for one item is its refusal."""
    run = Run(tmp_path, 2)
    run.deliver(ScriptedWorkspace(most_bytes=10))
    assert ["too_large", "too_large"] == [row.why.reason for row in run.failed()]
    assert {"1", "2"} == run.ids(Outcome.REFUSED)


def test_an_item_over_the_limit_is_never_sent(tmp_path: Path) -> None:
    """It is rejected here, with its number and a reason; the others arrive."""
    parts = Parts(tmp_path / "rows", "rows")
    parts.write(with_row_numbers([pa.RecordBatch.from_pydict({"id": ["1", "2", "3"], "x": ["a", "b" * 32_000, "c"]})]))
    run = Run(tmp_path / "other", 3)
    run.parts = parts
    server = ScriptedWorkspace()
    run.deliver(server)
    assert ["1", "3"] == server.applied
    (row,) = run.failed()
    assert (2, "2", "delivery", "item_too_large") == (row.row_number, row.identifier, row.stage, row.why.reason)
    assert {"2"} == run.ids(Outcome.REJECTED)


def test_refused_credentials_stop_at_once(tmp_path: Path) -> None:
    """The third request is answered 401: nothing is sent after it, and what was acknowledged stays delivered."""
    run = Run(tmp_path, PEOPLE)
    asked: list[Asked] = []

    def script(request: Asked) -> Said | None:
        asked.append(request)
        return Said(401) if len(asked) == 3 else Said(200)

    with pytest.raises(UnauthorizedError, match="workspace main"):
        run.deliver(script, max_items_per_request=5, max_requests_in_flight=1)
    assert 3 == len(asked)
    assert {str(n) for n in range(1, 11)} == run.ids(Outcome.DELIVERED)
    assert everyone() - run.ids(Outcome.DELIVERED) == run.ids(Outcome.UNDELIVERED)
    assert {("delivery", "unauthorized")} == {(row.stage, row.why.reason) for row in run.failed()}
    assert list(range(11, PEOPLE + 1)) == [row.row_number for row in run.failed()]


def test_a_workspace_that_never_answers_uses_up_the_budget(tmp_path: Path) -> None:
    """After 600 s without a settled answer the run stops; everything left is undelivered, and said to be."""
    run = Run(tmp_path, PEOPLE)
    with pytest.raises(DestinationUnavailableError, match="HTTP 503"):
        run.deliver(lambda _: Said(503), max_items_per_request=5)
    assert 500 < run.time.now_s - 1000 < 700
    assert everyone() == run.ids(Outcome.UNDELIVERED)
    assert [("unavailable", "delivery")] * PEOPLE == [(row.why.reason, row.stage) for row in run.failed()]


def test_a_further_delivery_sends_only_what_has_no_outcome(tmp_path: Path) -> None:
    """After a stop: acknowledged rows are not sent again, refused ones keep their reason, the rest arrives."""
    run = Run(tmp_path, PEOPLE)
    server = ScriptedWorkspace(bad=frozenset({"2", "4"}))
    asked: list[Asked] = []

    def stops(request: Asked) -> Said | None:
        asked.append(request)
        return Said(401) if len(asked) == 3 else server(request)

    with pytest.raises(UnauthorizedError):
        run.deliver(stops, max_items_per_request=5, max_requests_in_flight=1)
    assert PEOPLE - 10 + 2 == len(run.failed())
    run.outcomes = run.parts.outcomes(PEOPLE)
    told: list[tuple[int, ...]] = []
    delivered = run.deliver(server, progress=lambda *counts: told.append(counts))
    assert everyone() - {"2", "4"} == set(server.applied)
    assert {"1": 1} == {name: n for name, n in Counter(server.applied).items() if name == "1"}
    assert PEOPLE - 2 == len(server.applied)
    assert [(2, "customerio", "bad one"), (4, "customerio", "bad one")] == [
        (row.row_number, row.stage, row.why.message) for row in run.failed()
    ]
    assert Counts(extracted=PEOPLE, delivered=PEOPLE - 2, refused=2) == delivered.counts
    assert (PEOPLE, 2, PEOPLE) == told[-1]
    run.outcomes = run.parts.outcomes(PEOPLE)
    assert delivered.counts == run.deliver(lambda _: Said(500)).counts
    assert 2 == len(run.failed())


def test_when_everything_arrives_no_failed_rows_stay_on_disk(tmp_path: Path) -> None:
    """Rows that were undelivered before are delivered now, and their failed rows are gone."""
    run = Run(tmp_path, PEOPLE)
    with pytest.raises(DestinationUnavailableError):
        run.deliver(lambda _: Said(503), policy=RetryPolicy(budget_s=1))
    assert PEOPLE == len(run.failed())
    run.deliver(ScriptedWorkspace())
    assert ([], everyone()) == (run.failed(), run.ids(Outcome.DELIVERED))


def test_rows_rejected_before_are_not_sent_and_stay_rejected(tmp_path: Path) -> None:
    """Outcomes of the checks are not touched, and are not failed rows of the delivery."""
    run = Run(tmp_path, PEOPLE)
    run.outcomes[[0, 4]] = Outcome.REJECTED, Outcome.EXCLUDED
    server = ScriptedWorkspace(bad=frozenset({"3"}))
    counts = run.deliver(server).counts
    assert Counts(extracted=PEOPLE, delivered=PEOPLE - 3, rejected=1, refused=1, excluded=1) == counts
    assert [3] == [row.row_number for row in run.failed()]


def test_a_workspace_that_refuses_everything_whole_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Halving down to every single row, over and over, is not how ten million rows end."""
    monkeypatch.setattr(settling, "MOST_REFUSED_IN_A_ROW", 10)
    run = Run(tmp_path, PEOPLE)
    with pytest.raises(DestinationRefusedError, match="10 requests in a row"):
        run.deliver(ScriptedWorkspace(bad=frozenset(everyone()), whole=True))
    assert {"destination_refused"} == {row.why.reason for row in run.failed() if row.stage == "delivery"}
    assert PEOPLE == len(run.failed())


@pytest.mark.parametrize(
    "error",
    [
        *(kind("x") for kind in (UnauthorizedError, CallsUsedUpError, DestinationUnavailableError)),
        *(DestinationRefusedError("x"), asyncio.CancelledError(), ValueError("x")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_ends_a_run_its_rows_are_known_to_be_left(tmp_path: Path, error: BaseException) -> None:
    """By stage and reason, so that nobody is told to correct them."""
    run = Run(tmp_path, 1)
    leave_undelivered(run.parts, run.outcomes, lambda batch, _: batch.column("id"), error)
    (row,) = run.failed()
    assert ("delivery", True) == (row.stage, row.why.reason in LEFT_BY_RUNS)


def test_a_defect_leaves_a_true_ledger_too(tmp_path: Path) -> None:
    """An unforeseen error is raised after the ledger is written."""
    run = Run(tmp_path, PEOPLE)

    def broken(settled: int, failed: int, total: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run.deliver(ScriptedWorkspace(), progress=broken, max_items_per_request=5, max_requests_in_flight=1)
    assert {"1", "2", "3", "4", "5"} == run.ids(Outcome.DELIVERED)
    assert {"stopped"} == {row.why.reason for row in run.failed()}
    assert PEOPLE - 5 == len(run.failed())


def test_no_more_is_read_than_is_sent_and_no_more_is_open_than_allowed(tmp_path: Path) -> None:
    """While answers are outstanding, three slices of many are in memory, and three requests are open."""
    run = Run(tmp_path, 50_000)

    async def check() -> None:
        destination = Blocking(in_flight=3)
        task = asyncio.create_task(deliver(run.parts, run.outcomes, destination))
        while destination.open < 3:
            await asyncio.sleep(0.001)
        for _ in range(100):
            await asyncio.sleep(0)
        # One that is packed, one that waits, and one that is encoded.
        assert destination.said_rows <= 3 * sender_module.SLICE_ROWS
        destination.may_answer.set()
        delivered = await task
        assert (50_000, 3) == (delivered.counts.delivered, destination.most_open)

    asyncio.run(check())


@pytest.mark.parametrize(("answer_s", "open_in_the_end"), [(6.0, {1}), (4.0, {4})])
def test_slow_answers_leave_fewer_requests_open(tmp_path: Path, answer_s: float, open_in_the_end: set[int]) -> None:
    """A workspace that takes more than 5 s for an answer is asked less at once, until one request is open."""
    run = Run(tmp_path, 400)
    seen: list[int] = []

    class Slow(Blocking):
        async def send(self, items: Sequence[bytes]) -> Answer:  # noqa: ARG002 - as many as are asked
            self.open += 1
            seen.append(self.open)
            asked_at = run.time.now_s
            while self.open < 4 and len(seen) < 4:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            run.time.now_s = max(run.time.now_s, asked_at + answer_s)
            self.open -= 1
            return Accepted()

    delivered = asyncio.run(deliver(run.parts, run.outcomes, Slow(in_flight=4), clock=run.time.clock()))
    assert (400, 4) == (delivered.counts.delivered, max(seen))
    assert open_in_the_end == {max(seen[at : at + 4]) for at in range(20, 36)}


def test_cancellation_leaves_a_true_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows whose answer does not come in time are undelivered, the failed rows say that the run was canceled."""
    monkeypatch.setattr(sender_module, "GRACE_S", 0.01)
    run = Run(tmp_path, PEOPLE)

    async def check() -> None:
        destination = Blocking(in_flight=1)
        task = asyncio.create_task(deliver(run.parts, run.outcomes, destination))
        while not destination.open:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(check())
    assert everyone() == run.ids(Outcome.UNDELIVERED)
    assert ["canceled"] * PEOPLE == [row.why.reason for row in run.failed()]


def test_a_cancellation_waits_for_answers_and_sends_nothing_more(tmp_path: Path) -> None:
    """Three requests are open: their rows are delivered, all others undelivered, nothing is asked after it."""
    run = Run(tmp_path, 100)

    async def check() -> None:
        destination = Blocking(in_flight=3)
        task = asyncio.create_task(deliver(run.parts, run.outcomes, destination))
        while destination.open < 3:
            await asyncio.sleep(0.001)
        task.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not task.done()
        destination.may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (3, 0) == (destination.most_open, destination.open)

    asyncio.run(check())
    assert 30 == len(run.ids(Outcome.DELIVERED))
    assert ["canceled"] * 70 == [row.why.reason for row in run.failed()]


def test_a_cancellation_ends_a_wait_for_the_next_attempt(tmp_path: Path) -> None:
    """A workspace that answers 503 is not asked again: the run ends at once."""
    run = Run(tmp_path, PEOPLE)

    async def check() -> int:
        asked = asyncio.Event()

        def script(_: Asked) -> Said:
            asked.set()
            return Said(503)

        async with scripted_server(script) as server:
            async with open_destination(sync(people={}), workspace(server.url)) as destination:
                policy = RetryPolicy(base_s=1000, most_s=1000, budget_s=10**6)
                patience = Patience(policy, name="workspace main", clock=Clock())
                task = asyncio.create_task(deliver(run.parts, run.outcomes, destination, patience=patience))
                await asked.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.wait_for(task, 60)
            return len(server.requests)

    assert 1 == asyncio.run(check())
    assert everyone() == run.ids(Outcome.UNDELIVERED)


def test_a_failure_waits_for_the_answers_of_the_others(tmp_path: Path) -> None:
    """One request is refused with 401 while another is under way: that one's rows are delivered, as its answer says."""
    run = Run(tmp_path, 40)

    class OneFails(Blocking):
        async def send(self, items: Sequence[bytes]) -> Answer:
            if self.open:
                asyncio.get_running_loop().call_later(0.02, self.may_answer.set)
                raise UnauthorizedError("no")
            return await super().send(items)

    with pytest.raises(UnauthorizedError):
        asyncio.run(_to(OneFails(in_flight=2), run))
    assert {str(n) for n in range(1, 11)} == run.ids(Outcome.DELIVERED)


def test_what_is_settled_is_known_to_the_next_attempt_without_a_closed_ledger(tmp_path: Path) -> None:
    """The process ends without any last word: the next one sends only what has no line in the journal."""
    run = Run(tmp_path, PEOPLE)
    server = ScriptedWorkspace(bad=frozenset({"2"}))
    run.deliver(server, max_items_per_request=5)
    (run.parts.folder / "outcomes.npy").unlink()
    (run.parts.folder / "failed-delivery.parquet").unlink()
    journal = run.parts.folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][:-5])
    run.outcomes = run.parts.outcomes(PEOPLE)
    before = len(server.applied)
    run.deliver(server, max_items_per_request=5)
    assert 0 < len(server.applied) - before <= 5
    assert everyone() - {"2"} == set(server.applied) == run.ids(Outcome.DELIVERED)
    assert [(2, "bad one")] == [(row.row_number, row.why.message) for row in run.failed()]


def test_rows_that_are_not_even_tried_are_failed_rows(tmp_path: Path) -> None:
    """When something before them ends the run, rows without an outcome say what; the others stay as they are."""
    run = Run(tmp_path, 3)
    run.outcomes[1] = Outcome.REJECTED
    counts = leave_undelivered(run.parts, run.outcomes, Blocking(1).identifiers, UnauthorizedError("no"))
    assert Counts(extracted=3, rejected=1, undelivered=2) == counts
    assert [(1, "1", "unauthorized"), (3, "3", "unauthorized")] == [
        (row.row_number, row.identifier, row.why.reason) for row in run.failed()
    ]
    assert {"1", "3"} == run.ids(Outcome.UNDELIVERED)


def test_rows_that_are_not_even_tried_are_called_by_their_identifiers_alone(tmp_path: Path) -> None:
    """Other columns, which may be many and wide, are not read again."""
    parts, read = Parts(tmp_path / "rows", "rows"), []
    parts.write(with_row_numbers([pa.record_batch({"plan": ["a", "b"], "id": ["1", "2"]})]))

    def identifiers(batch: pa.RecordBatch, _: str) -> pa.StringArray:
        read.append(batch.schema.names)
        return batch.column("id")

    leave_undelivered(parts, parts.outcomes(2), identifiers, UnauthorizedError("no"), identified_by=("id",))
    assert [["id", ROW_NUMBER]] == read
    assert ["1", "2"] == [row.identifier for row in parts.failed()]


def test_rows_kept_back_are_not_sent(tmp_path: Path) -> None:
    """Excluded ones have no failed row; those of an unknown object type are rejected with their reason."""
    with running_sandbox(keep_bodies=True) as sandbox:
        parts = Parts(tmp_path / "rows", "rows")
        batch = pa.RecordBatch.from_pydict({"object_id": ["a", "b", "c"], "object_type": [1, 9, 2]})
        parts.write(with_row_numbers([batch]))
        outcomes = _delivered_to(sandbox.url, parts, sync("SELECT object_type", objects={}))
        assert [Outcome.DELIVERED, Outcome.REJECTED, Outcome.DELIVERED] == outcomes.tolist()
        (row,) = parts.failed()
        assert (2, "b", "delivery", "unknown_object_type", "object_type") == (
            row.row_number, row.identifier, row.stage, row.why.reason, row.why.field,
        )  # fmt: skip
        people = Parts(tmp_path / "people" / "rows", "rows")
        people.write(with_row_numbers([pa.RecordBatch.from_pydict({"id": ["1", "2"]})]))
        _delivered_to(sandbox.url, people, sync(people={}))
        more = Parts(tmp_path / "more" / "rows", "rows")
        more.write(with_row_numbers([pa.RecordBatch.from_pydict({"id": ["2", "3"]})]))
        outcomes = _delivered_to(sandbox.url, more, sync(people={"write": "add_only"}))
        assert [Outcome.EXCLUDED, Outcome.DELIVERED] == outcomes.tolist()
        assert [] == list(more.failed())
        last = [r["body"]["batch"] for r in sandbox.requests() if r["path"] == "/api/v2/batch"][-1]
        assert ["3"] == [item["identifiers"]["id"] for item in last]


@pytest.mark.parametrize("kind", ["people", "events"])
def test_an_answer_lost_after_it_was_applied_doubles_nothing(tmp_path: Path, kind: str) -> None:
    """The sandbox applies, then hangs up: the repeat changes no one, and events are not doubled."""
    with running_sandbox() as sandbox:
        sandbox.faults([{"match": {"path": "/api/v2/batch"}, "do": {"drop": "after_apply"}}])
        parts = Parts(tmp_path / "rows", "rows")
        ids = [str(n) for n in range(10)]
        parts.write(with_row_numbers([pa.RecordBatch.from_pydict({"id": ids, "occurred_at": [1_767_614_400] * 10})]))
        config = sync(people={}) if kind == "people" else sync(events={"name": "bought"})
        outcomes = _delivered_to(sandbox.url, parts, config)
        assert [Outcome.DELIVERED] * 10 == outcomes.tolist()
        counts = sandbox.counts()
        assert (10, 10 if kind == "events" else 0) == (counts["people"], counts["events"])
        assert 2 == sum(request["path"] == "/api/v2/batch" for request in sandbox.requests())


def test_suppressed_people_are_excluded(tmp_path: Path) -> None:
    """Customer.io's own answer leaves them out, without a failed row."""
    with running_sandbox(suppressed="error") as sandbox:
        sandbox.suppress(id="2")
        run = Run(tmp_path, 3)
        outcomes = _delivered_to(sandbox.url, run.parts, sync(people={}))
        assert [Outcome.DELIVERED, Outcome.EXCLUDED, Outcome.DELIVERED] == outcomes.tolist()
        assert [] == run.failed()


def _delivered_to(url: str, parts: Parts, config: Sync) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Prepares and delivers to a sandbox, on the real clock."""
    outcomes = parts.outcomes(sum(batch.num_rows for batch in parts.batches()))

    async def run() -> None:
        async with open_destination(config, workspace(url)) as destination:
            await destination.prepare()
            await deliver(parts, outcomes, destination)

    asyncio.run(run())
    return outcomes


async def _to(destination: Blocking, run: Run) -> None:
    await deliver(run.parts, run.outcomes, destination)
