"""One pass over a stored changeset: every rule applied, every row marked, every failed row written down.

Memory holds one batch, one byte a row for its outcome and one byte a row for each rule that looks across rows.
Which rules a sync has is decided in ``rules``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from reverse_etl.changeset.ahead import of_paths
from reverse_etl.changeset.columns import identifiers, require_columns
from reverse_etl.changeset.excluded import LEFT_OUT_FILE, Excluded, read_excluded
from reverse_etl.changeset.parts import (
    ROW_NUMBER,
    Facts,
    Outcomes,
    Parts,
    RunFolder,
    count,
)
from reverse_etl.changeset.scope import Reads
from reverse_etl.checks._ahead import CheckedAhead as CheckedAhead
from reverse_etl.checks._ahead import Found, findings_of
from reverse_etl.checks._ahead import take as take
from reverse_etl.checks._ahead import while_read as while_read
from reverse_etl.checks._findings import Across, Marks, Numbers, Tally, failed_rows, note_excluded
from reverse_etl.checks._stopped import stopped
from reverse_etl.checks.base import (
    AnyRule,
    BatchRule,
    ChangesetRule,
    CheckResult,
    Finding,
    Gate,
    Rule,
    Severity,
    Whole,
)
from reverse_etl.checks.not_found import not_found
from reverse_etl.checks.rules import rules_for
from reverse_etl.errors import ConfigError, StateError
from reverse_etl.files.scratch import on_demand, scratch_in
from reverse_etl.progress import Progress, emit
from reverse_etl.report import Counts, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from reverse_etl.config.streams import Stream
    from reverse_etl.config.syncs import OutgoingRows


@dataclass(frozen=True, slots=True)
class Validation:
    """What the checks of one run found.

    Attributes:
        results: One a rule, in rule order, stream by stream.
        counts: By stream. Valid rows are ``undelivered``, because nothing is sent yet.
        stopped: Which check stops the run and why, a sentence; empty when rows may be sent.
        would_stop: The same where no run is in progress.
        let_pass: How to let pass what stops the run, once, a sentence; empty when nothing does.
    """

    results: tuple[CheckResult, ...]
    counts: dict[str, Counts]
    stopped: str = ""
    would_stop: str = ""
    let_pass: str = ""


Past: TypeAlias = "Mapping[tuple[str, str], Sequence[float]]"
"""By stream and rule, the numbers of gates in completed runs that read the same way, the newest first."""


def validate(
    sync: OutgoingRows,
    folder: RunFolder,
    *,
    past: Past | None = None,
    scratch: Scratch | None = None,
    ahead: CheckedAhead | None = None,
) -> Validation:
    """Marks each row of a changeset as valid, rejected or excluded, beside it; again over it gives the same.

    Args:
        sync: What the rows are.
        folder: Where they lie.
        past: What gates found before; None for nothing.
        scratch: Gives an empty database, for many small changesets; by default each has one of its own.
        ahead: What was found while the rows were read; None for nothing.

    Raises:
        StateError: The changeset is not complete.
        ConfigError: A column that the sync or one of its checks needs is not in the result.
    """
    facts = folder.facts()
    if facts is None:
        raise StateError(f"the changeset in {folder.path} is not complete.", hint="Run the whole sync again.")
    passes = [
        _Pass(sync, folder.parts(stream.name), stream, rules, facts, past or {}, ahead)
        for stream, rules in zip(sync.streams, rules_for(sync).values(), strict=True)
    ]
    for each in passes:
        each.require_columns()
    with ExitStack() as stack:
        # Opening it takes 20 ms, which a run without rows that share a key does not need.
        database = scratch or cache(lambda: stack.enter_context(scratch_in(folder.path / "scratch")))
        for each in passes:
            each.run(database)
    results = tuple(result for each in passes for result in each.results())
    return Validation(results, {each.stream.name: each.counts for each in passes}, *stopped(results, sync.name, facts))


Scratch: TypeAlias = "Callable[[], duckdb.DuckDBPyConnection]"


def _findings_of(across: Mapping[str, Across], numbers: Numbers) -> Found:
    """What rules across rows found, of some rows."""
    return {name: [*each.findings(numbers)] for name, each in across.items()}


@dataclass(slots=True)
class _Pass:
    """The rules of one stream over its parts."""

    sync: OutgoingRows
    parts: Parts
    stream: Stream
    rules: Sequence[AnyRule]
    facts: Facts
    past: Past
    ahead: CheckedAhead | None = None
    tallies: list[Tally] = field(default_factory=list)
    counts: Counts = Counts()  # noqa: RUF009 - frozen
    excluded: dict[str, Excluded] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of the stream."""
        return self.facts.streams[self.stream.name].rows

    @property
    def not_found(self) -> int:
        """Rows at the end that are not there any more."""
        return self.facts.streams[self.stream.name].not_found

    def require_columns(self) -> None:
        schema = self.parts.schema()
        if schema is None:
            return
        require_columns(schema.names, self.sync, self.stream)
        for each in self.rules:
            for name in each.rule.columns if self._judges(each.rule) else ():
                if name not in schema.names:
                    near = difflib.get_close_matches(name, schema.names, n=1)
                    raise ConfigError(
                        f"check {each.rule.name}: the query returns no column `{name}`.",
                        hint=f"Did you mean `{near[0]}`?" if near else f"It returns: {', '.join(schema.names)}.",
                    ).located(self.sync.where)

    def run(self, database: Scratch) -> None:
        emit(Progress("validate", self.stream.name, 0, 0, self.rows))
        self.tallies = [Tally(each.rule) for each in self.rules]
        across = {
            each.rule.name: self._across(each, database)
            for each in self.rules
            if isinstance(each, ChangesetRule) and self._judges(each.rule)
        }
        outcomes = self.parts.shaped(self.rows)
        self.excluded = {each.rule: each for each in read_excluded(self.parts.folder / LEFT_OUT_FILE)}
        self.parts.forget_outcomes()
        self.parts.write_failed("check", self._checked(across, outcomes))
        if self.excluded:
            self.parts.write_excluded(self.excluded.values())
        self.parts.write_outcomes(outcomes)
        self.counts = count(outcomes)

    def results(self) -> Iterator[CheckResult]:
        for each, tally in zip(self.rules, self.tallies, strict=True):
            if not self._judges(each.rule):
                yield CheckResult(each.rule, self.stream.name, self.rows, 0, judged=False)
            elif isinstance(each, Gate):
                yield self._of_gate(each)
            else:
                yield self._accepted(tally.result(self.stream.name, self.rows))

    def _of_gate(self, gate: Gate) -> CheckResult:
        counts, found = self._counts_of_found(), self.rows - self.not_found
        whole = Whole(counts, self.parts, found, self.facts.started_at)
        measured = gate.measure(whole, self.past.get((self.stream.name, gate.rule.name), ()))
        failed = self.counts.rejected if measured.exceeded and not gate.rule.columns else 0
        return self._accepted(
            CheckResult(
                gate.rule,
                self.stream.name,
                self.rows,
                failed,
                fields=gate.rule.columns if measured.exceeded else (),
                message=measured.exceeded,
                value=measured.value,
                note=measured.note,
            )
        )

    def _accepted(self, result: CheckResult) -> CheckResult:
        """The result of a run that was asked to let this check pass."""
        asked = result.rule.severity is Severity.STOP and result.rule.name in self.facts.accepted
        return replace(result, accepted=True) if asked and not result.passed else result

    def _judges(self, rule: Rule) -> bool:
        """A share of a few rows is none of all; rows that take something back passed the sync's own checks before."""
        undone = self.facts.reads is Reads.UNDO
        if undone and rule.name not in {each.rule.name for each in self.sync.rules()[self.stream.name]}:
            return False
        in_part = self.facts.reads.is_sample or (self.facts.piece is not None and not rule.of_pieces)
        as_json = undone and rule.severity is Severity.WARN  # they are stored as they are sent
        return not (as_json or (rule.until_confirmed and self.facts.backfill) or (rule.of_the_whole and in_part))

    def _counts_of_found(self) -> Counts:
        counts, gone, left_out = self.counts, self.not_found, self.facts.streams[self.stream.name].left_out
        return replace(
            counts,
            extracted=counts.extracted - gone - left_out,
            rejected=counts.rejected - gone,
            excluded=counts.excluded - left_out,
        )

    def _checked(self, across: dict[str, Across], outcomes: Outcomes) -> Iterator[pa.RecordBatch]:
        done = failed = 0
        for path, batch, found in of_paths(self.parts, self._found):
            numbers = np.asarray(batch.column(ROW_NUMBER).to_numpy(), dtype=np.int64)
            if found is None:
                outcomes[numbers - 1] = Outcome.REJECTED
                failed += batch.num_rows
                yield not_found(batch, self.stream, numbers, sync=self.sync.name)
            else:
                here = outcomes[numbers - 1]
                kept_back = self._mark(found | _findings_of(across, numbers), numbers, here)
                outcomes[numbers - 1] = here
                failed += int(np.count_nonzero(here == Outcome.REJECTED))
                if kept_back:
                    whole = batch if batch.num_columns > 1 else self.parts.batch(path)
                    names = identifiers(whole, self.stream)
                    yield failed_rows(names, kept_back, stream=self.stream.name, numbers=numbers)
            done += batch.num_rows
            emit(Progress("validate", self.stream.name, done, failed, self.rows))

    def _found(self, path: Path) -> tuple[Path, pa.RecordBatch, Found | None]:
        """A batch, and what each rule finds in it; None where its rows are not there any more.

        Of a batch that was checked ahead, which is not read again, there are the row numbers.
        """
        rules = [each for each in self.rules if isinstance(each, BatchRule) and self._judges(each.rule)]
        names, started_at = [each.rule.name for each in rules], self.facts.started_at
        found = self.ahead.found(path, names, started_at) if self.ahead else None
        if found is not None:
            return path, self.parts.batch(path, ()), found
        batch = self.parts.batch(path)
        if batch.num_rows and batch.column(ROW_NUMBER)[0].as_py() > self.rows - self.not_found:
            return path, batch, None
        return path, batch, findings_of(rules, batch, started_at)

    def _mark(self, found: Found, numbers: Numbers, here: Outcomes) -> list[tuple[Rule, Finding]]:
        """Enters the findings of one batch into its outcomes; returns those that keep rows back."""
        kept_back: list[tuple[Rule, Finding]] = []
        excluded: list[tuple[Rule, list[Finding], Marks]] = []
        for each, tally in zip(self.rules, self.tallies, strict=True):
            if each.rule.name not in found:
                continue
            marks, with_rows = tally.add(found[each.rule.name], numbers)
            if tally.keeps_back:
                here[marks] = Outcome.REJECTED
                kept_back.extend((each.rule, finding) for finding in with_rows)
            elif each.rule.severity is Severity.EXCLUDE:
                left_out = marks & (here == Outcome.UNDELIVERED)
                here[left_out] = Outcome.EXCLUDED
                excluded.append((each.rule, with_rows, left_out))
        for rule, with_rows, left_out in excluded:
            note_excluded(self.excluded, rule, with_rows, numbers[left_out & (here == Outcome.EXCLUDED)])
        return kept_back

    def _across(self, rule: ChangesetRule, database: Scratch) -> Across:
        found = Across(np.zeros(self.rows, dtype=np.uint8))
        # What is asked of all rows together has an answer for none, too.
        if self.rows or (rule.rule.of_the_whole and self.parts.paths()):
            for finding in rule.findings_across(self.parts, on_demand(database)):
                found.add(finding)
        return found
