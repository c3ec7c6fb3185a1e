"""The pass over a changeset: what is stored, what stops a run, and what is refused before anything is looked at."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from reverse_etl.changeset.parts import RunFolder
from reverse_etl.changeset.scope import Reads
from reverse_etl.checks import accepted_values, max_failed_rows, not_null, null_rate, row_count
from reverse_etl.checks.base import warnings_of
from reverse_etl.checks.rules import rules_for
from reverse_etl.checks.runner import validate
from reverse_etl.config.checks import CheckConfig
from reverse_etl.destinations.customerio.sections import PeopleConfig, RelationshipsConfig
from reverse_etl.errors import ConfigError, StateError
from reverse_etl.progress import Progress, listening
from reverse_etl.report import Counts, FailedRow, Outcome, Reason
from reverse_etl_tests.checks.conformance import MEMBERSHIPS, PEOPLE, PEOPLE_BY_EMAIL, Checked, check, store, sync


def people(**columns: list[object]) -> pa.RecordBatch:
    """A batch of people."""
    return pa.RecordBatch.from_pydict(columns)


def test_a_failed_row_has_its_first_reason_and_all_messages(tmp_path: Path) -> None:
    """The reason is the first rule that is broken, in the order of the rules; the rest follows it."""
    config = sync(not_null.Config(column="plan"))
    long = "x" * 1001
    rows = people(
        id=["1", "", "3"], email=["a@b.co", "nobody", "c@b.co"], plan=["free", None, None], bio=["", long, ""]
    )
    checked = check(config, tmp_path, [rows])
    assert checked.failed() == [
        FailedRow(
            2,
            "rows",
            "",
            "check",
            Reason(
                "identifier_present",
                "id",
                "column `id` is empty; column `email` is not a valid e-mail address; "
                "column `bio` is longer than 1000 bytes; column `plan` is NULL.",
            ),
        ),
        FailedRow(3, "rows", "3", "check", Reason("not_null_plan", "plan", "column `plan` is NULL.")),
    ]
    assert checked.outcomes() == [Outcome.UNDELIVERED, Outcome.REJECTED, Outcome.REJECTED]
    assert checked.validation.counts == {"rows": Counts(extracted=3, rejected=2, undelivered=1)}


def test_a_warning_keeps_no_row_back(tmp_path: Path) -> None:
    """Severity warn tells, and that is all."""
    config = sync(not_null.Config(column="plan", severity="warn"))
    checked = check(config, tmp_path, [people(id=["1", "2"], plan=["free", None])])
    [warned] = warnings_of(checked.validation.results)
    assert "warning: not_null_plan: 1 of 2 rows: column `plan` is NULL. First rows: 2." == warned.sentence
    assert checked.result("not_null_plan").sample_rows == (2,)
    assert (checked.failed(), checked.outcomes(), checked.validation.stopped) == ([], [Outcome.UNDELIVERED] * 2, "")


def test_a_failed_row_is_shown_by_its_whole_identifier(tmp_path: Path) -> None:
    """Integral identifiers of any type without a fraction."""
    rows = pa.record_batch({"id": pa.array([42.0, 43.5]), "score": pa.array([float("nan")] * 2)})
    assert [row.identifier for row in check(PEOPLE, tmp_path, [rows]).failed()] == ["42", "43.5"]


def test_stop_names_the_check_and_leaves_valid_rows_undelivered(tmp_path: Path) -> None:
    """A stop is a sentence, not an exception; the rows keep their marks."""
    config = sync(accepted_values.Config(column="plan", values=("free",), severity="stop"))
    checked = check(config, tmp_path, [people(id=["1", "2"], plan=["free", "gold"])])
    assert checked.validation.stopped == (
        "check accepted_values_plan stopped the run, nothing was sent: "
        "column `plan` holds a value that is not accepted."
    )
    assert checked.outcomes() == [Outcome.UNDELIVERED, Outcome.REJECTED]


def test_a_gate_counts_in_both_queries(tmp_path: Path) -> None:
    """Relationships that fail in numbers stop the run as well."""
    config = sync(
        max_failed_rows.Config(limit="50%"),  # type: ignore[arg-type]
        people=PeopleConfig(),
        relationships=RelationshipsConfig(query="SELECT 2"),
    )
    memberships = pa.record_batch({"id": pa.array(["1", "2", "3"]), "object_id": pa.array(["", None, "acme"])})
    checked = check(config, tmp_path, [people(id=["1"])], [memberships])
    assert checked.validation.stopped == (
        "check max_failed_rows on the relationships stopped the run, nothing was sent: "
        "2 of 3 rows failed, more than the 50% allowed."
    )
    result = checked.result("max_failed_rows", "relationships")
    assert (result.rows_failed, result.passed, checked.result("max_failed_rows").passed) == (2, False, True)


def retried(folder: Path, *checks: CheckConfig, gone: int) -> Checked:
    """A retry that found two rows, one of them still wrong, and ``gone`` rows no more."""
    store(folder, [people(id=["1", "2"], plan=["free", None]), people(id=["3", "", "5"][:gone], plan=[None] * gone)])
    run = RunFolder(folder)
    facts = run.facts()
    assert facts is not None
    streams = {"rows": replace(facts.streams["rows"], not_found=gone)}
    run.seal(replace(facts, reads=Reads.RETRY, retry_of="r1", streams=streams))
    config = sync(not_null.Config(column="plan"), *checks)
    return Checked(validate(config, run), run)


def test_a_row_that_a_retry_does_not_find_stays_a_failed_row(tmp_path: Path) -> None:
    """Whether it has an identifier or none; no other rule is asked about it."""
    checked = retried(tmp_path, gone=3)
    reasons = [(row.row_number, row.identifier, row.why.reason, row.why.field) for row in checked.failed()]
    assert reasons == [
        (2, "2", "not_null_plan", "plan"),
        (3, "3", "no_longer_found", "id"),
        (4, "", "no_identifier", "id"),
        (5, "5", "no_longer_found", "id"),
    ]
    assert all("reverse-etl run customers" in row.why.message for row in checked.failed()[1:])
    assert checked.validation.counts["rows"] == Counts(extracted=5, rejected=4, undelivered=1)
    assert checked.result("not_null_plan").rows_failed == 1


def test_what_judges_all_rows_judges_no_retry(tmp_path: Path) -> None:
    """It still has a result; a number of failed rows counts those that were found."""
    shares = (
        max_failed_rows.Config(limit="1%"),  # type: ignore[arg-type]
        row_count.Config(min=100),
        null_rate.Config(column="plan", max="1%"),  # type: ignore[arg-type]
    )
    checked = retried(tmp_path / "shares", *shares, gone=3)
    for name in ("max_failed_rows", "row_count", "null_rate_plan"):
        assert (checked.result(name).passed, checked.result(name).judged) == (True, False)
    assert checked.validation.stopped == ""
    for limit, stopped in ((1, False), (0, True)):
        number = max_failed_rows.Config(limit=limit)  # type: ignore[arg-type]
        checked = retried(tmp_path / f"limit{limit}", number, gone=3)
        assert bool(checked.validation.stopped) is stopped


def test_a_check_that_is_accepted_stops_nothing_once_and_still_rejects(tmp_path: Path) -> None:
    """Only the checks that are named; what they found is still told, and rows that they reject stay rejected."""
    config = sync(row_count.Config(min=3), not_null.Config(column="plan", severity="stop"))
    run = store(tmp_path, [people(id=["1", "2"], plan=["free", None])])
    both = validate(config, run)
    assert both.stopped == (
        "check row_count stopped the run, nothing was sent: 2 rows to check, fewer than 3. "
        "So does check not_null_plan: column `plan` is NULL."
    )
    assert both.let_pass == (
        "To let it pass in one run: reverse-etl run customers --accept row_count --accept not_null_plan"
    )
    facts = run.facts()
    assert facts is not None
    for accept, stopped in (("row_count", "not_null_plan"), ("not_null_plan", "row_count"), ("x", "row_count")):
        run.seal(replace(facts, accept=accept))
        assert validate(config, run).stopped.startswith(f"check {stopped} stopped")
    run.seal(replace(facts, accept="row_count,not_null_plan"))
    checked = Checked(validate(config, run), run)
    assert (checked.validation.stopped, checked.validation.let_pass) == ("", "")
    result = checked.result("row_count")
    assert (result.passed, result.accepted, result.value) == (False, True, 2)
    assert checked.outcomes() == [Outcome.UNDELIVERED, Outcome.REJECTED]


def test_a_gate_that_only_warns_stops_nothing(tmp_path: Path) -> None:
    """Its result fails, the run goes on."""
    checked = check(sync(row_count.Config(min=2, severity="warn")), tmp_path, [people(id=["1"])])
    assert (checked.result("row_count").passed, checked.validation.stopped) == (False, "")


def test_relationships_are_checked_beside_the_rows(tmp_path: Path) -> None:
    """Each query has its own results, counts and failed rows."""
    memberships = pa.record_batch({"id": pa.array(["1", None]), "object_id": pa.array([7, 8])})
    checked = check(MEMBERSHIPS, tmp_path, [people(id=["1"])], [memberships])
    assert [(row.query, row.row_number, row.why.reason) for row in checked.failed("relationships")] == [
        ("relationships", 2, "identifier_present")
    ]
    assert checked.validation.counts == {
        "rows": Counts(extracted=1, undelivered=1),
        "relationships": Counts(extracted=2, rejected=1, undelivered=1),
    }
    assert checked.result("identifier_present", "relationships").rows_checked == 2


def test_a_row_that_is_left_out_and_broken_is_a_failed_row(tmp_path: Path) -> None:
    """keep_last does not hide what is wrong with an earlier row."""
    config = sync(people=PeopleConfig(duplicates="keep_last"))
    checked = check(config, tmp_path, [people(id=["1", "1", "1"], email=["nobody", "a@b.co", "a@b.co"])])
    assert checked.outcomes() == [Outcome.REJECTED, Outcome.EXCLUDED, Outcome.UNDELIVERED]
    assert checked.result("identifier_unique").passed


def test_parts_that_differ_in_a_columns_type_are_one_changeset(tmp_path: Path) -> None:
    """The number 1 in one part and the text 1 in another are the same identifier, but not the same value."""
    parts = [people(id=[1, 2], n=[5, 6]), people(id=["1", "3"], n=["5", "7"]), people(id=[None, None], n=[None, None])]
    checked = check(PEOPLE, tmp_path, parts)
    assert checked.result("identifier_unique").sample_rows == (1, 3)
    assert checked.result("identifier_present").sample_rows == (5, 6)


def test_the_same_check_twice_has_two_names() -> None:
    """A number tells them apart."""
    config = sync(not_null.Config(column="plan"), not_null.Config(column="Plan"), not_null.Config(column="名"))
    assert [each.rule.name for each in rules_for(config)["rows"]][-3:] == [
        "not_null_plan",
        "not_null_plan_2",
        "not_null",
    ]


def test_a_check_on_a_column_that_is_not_there_is_a_mistake_in_the_file(tmp_path: Path) -> None:
    """Sync, check and column are named, with what was probably meant."""
    with pytest.raises(ConfigError) as raised:
        check(sync(not_null.Config(column="plann")), tmp_path, [people(id=["1"], plan=["free"])])
    assert str(raised.value) == (
        "sync customers (syncs/customers.yaml): check not_null_plann: the query returns no column `plann`. "
        "Did you mean `plan`?"
    )


def test_without_a_near_name_the_columns_are_listed(tmp_path: Path) -> None:
    """The author sees what there is."""
    with pytest.raises(ConfigError, match=r"It returns: id, plan\.$"):
        check(sync(not_null.Config(column="zzz")), tmp_path, [people(id=["1"], plan=["free"])])


def test_a_missing_identifier_is_found_before_any_row_is_checked(tmp_path: Path) -> None:
    """The fix is shown, and nothing is stored."""
    with pytest.raises(ConfigError) as raised:
        check(PEOPLE_BY_EMAIL, tmp_path, [people(Email=["a@b.co"])])
    assert raised.value.hint == 'Column names are case-sensitive: name "Email" with AS "email".'
    assert not (tmp_path / "rows" / "outcomes.npy").exists()


def test_an_extraction_that_did_not_finish_cannot_be_checked(tmp_path: Path) -> None:
    """Half a changeset is not validated."""
    with pytest.raises(StateError, match="is not complete"):
        validate(PEOPLE, RunFolder(tmp_path))


def test_an_empty_changeset_passes(tmp_path: Path) -> None:
    """No parts at all, as well as a part without rows."""
    nothing = Checked(validate(PEOPLE, store(tmp_path / "none", [])), RunFolder(tmp_path / "none"))
    empty = check(PEOPLE, tmp_path / "empty", [people(id=["1"], Plan=["x"]).slice(0, 0)])
    for checked in (nothing, empty):
        assert checked.validation.counts == {"rows": Counts()}
        assert all(result.rows_failed == 0 for result in checked.validation.results)
    assert empty.result("attribute_name_case").fields == ("Plan",)


def test_progress_is_reported_by_part(tmp_path: Path) -> None:
    """Whoever watches sees rows done and rows failed."""
    told: list[Progress] = []
    with listening(told.append):
        check(PEOPLE, tmp_path, [people(id=["1", ""]), people(id=["3"])])
    assert told == [Progress("validate", "rows", done, failed, 3) for done, failed in ((0, 0), (2, 1), (3, 1))]


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Twice the parts, failed rows in each, and about the same peak of Python's and Arrow's memory."""

    def peak(parts: int) -> int:
        ids = [f"{n:08d}" for n in range(20_000)]
        batches = [people(id=[f"{part}-{one}" for one in ids], email=["nobody"] * len(ids)) for part in range(parts)]
        run = store(tmp_path / str(parts), batches)
        del batches
        pool = pa.default_memory_pool()
        before = pool.bytes_allocated()
        tracemalloc.start()
        highest = 0

        def watch(_: Progress) -> None:
            nonlocal highest
            highest = max(highest, pool.bytes_allocated() - before + tracemalloc.get_traced_memory()[0])

        with listening(watch):
            counts = validate(PEOPLE, run).counts
        tracemalloc.stop()
        assert counts["rows"].rejected == parts * len(ids)
        return highest

    assert peak(6) < 1.5 * peak(2)
